//! The errors users meet, and what becomes of a user's own error when it is recorded.
//!
//! Owns every public error type of the authoring surface and the one place ([`describe`]) where an error is taken
//! apart into class, message and chain. Never decides about retries: that is [`crate::words::retry`] and the machine.

mod any;
mod block;
mod cause;
mod child;
pub(crate) mod describe;
mod failure;
mod fatal;
mod never;
mod step;
mod timed_out;

pub use self::any::{Error, Result};
pub use self::block::BlockError;
pub use self::child::ChildError;
pub use self::describe::StepFailure;
pub use self::failure::{Failure, TypedFailure};
pub use self::fatal::{Fatal, FatalError, FatalResult};
pub use self::never::Never;
pub use self::step::StepError;
pub use self::timed_out::TimedOut;

/// A boxed error of the standard library, as user code passes it around.
pub(crate) type StdBox = Box<dyn std::error::Error + Send + Sync>;
