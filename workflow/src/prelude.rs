//! What workflow code uses: `use workflow::prelude::*;`.

pub use crate::authoring::child::Child;
pub use crate::authoring::event::Event;
pub use crate::authoring::facts::{changed, info, now};
pub use crate::authoring::join::{join_all, try_join_all};
pub use crate::authoring::part::Part;
pub use crate::authoring::random::{random, uuid};
pub use crate::authoring::sleep::{sleep, sleep_until};
pub use crate::authoring::step::StepContext;
pub use crate::authoring::timeout::timeout;
pub use crate::authoring::wait::{wait_for, wait_for_type};
pub use crate::client::{Engine, EngineBuilder, EngineError, Handle, Instance, ResultError, Status};
pub use crate::definition::Definition;
pub use crate::engine::{Mode, VerifyReplay};
pub use crate::error::{BlockError, ChildError, Failure, Fatal, FatalError, FatalResult, StepError, TimedOut};
pub use crate::journal::command::ParentClose;
pub use crate::journal::head::State;
pub use crate::{join, log, try_join, unrecorded};
pub use workflow_macros::{Event, group, part, race, step, workflow};
