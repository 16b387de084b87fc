//! Everything that generated code may name. Not part of the public interface: it changes with any release.

pub use crate::authoring::child::{Child, child};
pub use crate::authoring::context::Ctx;
pub use crate::authoring::durable::{Assumed, Block, Durable, Fallback, Probe, Recordable, durable};
pub use crate::authoring::event::{Event, EventPayload};
pub use crate::authoring::group::{Group, group};
pub use crate::authoring::join::{join, try_join};
pub use crate::authoring::ordered::{AnyOrder, Ordered, Unordered};
pub use crate::authoring::owned::{Kept, Owned, TakenAlong, holding, owned};
pub use crate::authoring::part::{Part, part};
pub use crate::authoring::race::{
    Race, Raced2, Raced3, Raced4, Raced5, Raced6, Raced7, Raced8, Raced9, Raced10, Raced11, Raced12, Raced13, Raced14,
    Raced15, Raced16, race,
};
pub use crate::authoring::step::{Step, StepContext, step, step_with_context};
pub use crate::client::{Create, CreateBatch, Get, New, create, create_batch, get, new_instance};
pub use crate::definition::{
    Definition, EncodedInputs, Ended, Input, InputError, Inputs, NoWords, Registered, Registration, ResourceKey,
    Resources, ResultType, RunFuture, Start, Words, WorkflowError, WorkflowInput, WorkflowOutput, ended_result,
    ended_value, input,
};
pub use crate::error::{BlockError, Never, StepFailure};
pub use crate::test_kit::{Test, test};
pub use crate::words::location::Location;
pub use crate::words::retry::Backoff;
pub use inventory;
