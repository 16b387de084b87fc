//! The traits by which a workflow's code is checked, for whoever meets one in a message of the compiler.
//!
//! There is nothing here to implement or to call: what can be recorded, awaited and handed on has these traits by itself,
//! and some of them nothing has, so that the compiler can say why. What each rule is for, how to satisfy it and how to get
//! around it stands in `docs/CHECKS.md` of the repository.

pub use crate::authoring::child::ChildToAwaitInWorkflow;
pub use crate::authoring::durable::{
    Block, Durable, PassedOn, Recordable, UseTheOneOfTheWorkflowPrelude, durable, durable_all, passed_on,
};
pub use crate::authoring::event::EventPayload;
pub use crate::authoring::facts::NowToAwaitInWorkflow;
pub use crate::authoring::group::{Group, group};
pub use crate::authoring::join::{Join, JoinAll, Tried, TryJoin, TryJoinAll, join, try_join};
pub use crate::authoring::ordered::Ordered;
pub use crate::authoring::owned::{Owned, TakenAlong, owned};
pub use crate::authoring::part::{PartToAwaitInWorkflow, part};
pub use crate::authoring::probe::Probe;
pub use crate::authoring::random::{Random, RandomToAwaitInWorkflow, UuidToAwaitInWorkflow};
pub use crate::authoring::settled::{Clockless, Recorded, Secluded, Timeless, Unshared};
pub use crate::authoring::sleep::SleepToAwaitInWorkflow;
pub use crate::authoring::step::{Step, StepBody, step};
pub use crate::authoring::timeout::Timeout;
pub use crate::authoring::wait::{EventToAwaitInWorkflow, EventWithinToAwaitInWorkflow};
pub use crate::definition::{
    Ended, Input, ResourceKey, WorkflowError, WorkflowInput, WorkflowOutput, input, run_future,
};
pub use crate::error::StepFailure;
