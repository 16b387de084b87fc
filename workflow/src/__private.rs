//! Everything that generated code may name. Not part of the public interface: it changes with any release.

pub use crate::authoring::child::{Child, child};
pub use crate::authoring::context::Ctx;
pub use crate::authoring::durable::{
    Assumed, Block, Durable, Fallback, FallbackAll, NoFuture, PassedOn, Recordable, UseTheOneOfTheWorkflowPrelude,
    durable, durable_all, passed_on,
};
pub use crate::authoring::event::{Event, EventPayload};
pub use crate::authoring::group::{Group, group};
pub use crate::authoring::join::{join, try_join};
pub use crate::authoring::log::is_live;
pub use crate::authoring::ordered::{AnyOrder, Ordered, Unordered};
pub use crate::authoring::owned::{Kept, Owned, TakenAlong, holding, owned};
pub use crate::authoring::part::{Part, part};
pub use crate::authoring::probe::Probe;
pub use crate::authoring::race::{
    Race, Raced2, Raced3, Raced4, Raced5, Raced6, Raced7, Raced8, Raced9, Raced10, Raced11, Raced12, Raced13, Raced14,
    Raced15, Raced16, race,
};
pub use crate::authoring::settled::{
    AnyPlace, Clockless, Measuring, Outside, Recorded, Secluded, Shared, Timeless, Unshared,
};
pub use crate::authoring::step::{Step, StepContext, step, step_with_context};
pub use crate::client::{Create, CreateBatch, Get, New, create, create_batch, get, new_instance};
pub use crate::definition::{
    Definition, EncodedInputs, Ended, Input, InputError, Inputs, NoWords, Registered, Registration, ResourceKey,
    Resources, ResultType, RunFuture, Start, Words, WorkflowError, WorkflowInput, WorkflowOutput, ended_result,
    ended_value, input, run_future,
};
pub use crate::error::{BlockError, Never, StepFailure};
pub use crate::test_kit::{Test, test};
pub use crate::unread;
pub use crate::words::location::Location;
pub use crate::words::retry::Backoff;
pub use inventory;
pub use tracing;

/// An item that the macros could not read: the compiler reads it itself and says what is wrong; an IDE goes on working in
/// it.
#[cfg(rust_analyzer)]
#[doc(hidden)]
#[macro_export]
macro_rules! unread {
    ($($item:tt)*) => { $($item)* };
}

/// An item that the macros could not read: the compiler reads it itself and says what is wrong; an IDE goes on working in
/// it.
#[cfg(not(rust_analyzer))]
#[doc(hidden)]
#[macro_export]
macro_rules! unread {
    ($item:item) => {};
}
