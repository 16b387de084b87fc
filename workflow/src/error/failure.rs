//! A step failed, with the user's own error: what `.typed()` gives.

use std::fmt;

use super::StepError;
use super::fatal::Fatal;
use crate::authoring::durable::Recordable;
use crate::words::payload::{CodecError, Payload};

/// Why a typed step failed. The error in it is the recorded copy, live and in every replay.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The body returned an error.
    Failed {
        /// The body's own error.
        error: E,
        /// The same failure in words.
        step: StepError,
    },
    /// The body returned no error of its own: it took too long, panicked, or its result cannot be recorded.
    Other(StepError),
}

impl<E> Failure<E> {
    /// The body's own error, if it returned one.
    #[must_use]
    pub const fn error(&self) -> Option<&E> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Other(_) => None,
        }
    }

    /// The body's own error, if it returned one, by value.
    #[must_use]
    pub fn into_error(self) -> Option<E> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Other(_) => None,
        }
    }

    /// The failure in words.
    #[must_use]
    pub const fn step(&self) -> &StepError {
        match self {
            Self::Failed { step, .. } | Self::Other(step) => step,
        }
    }
}

impl<E> From<Failure<E>> for StepError {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::Failed { step, .. } | Failure::Other(step) => step,
        }
    }
}

impl<E> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step().fmt(f)
    }
}

impl<E> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The user's error need not be `Debug`; its words are in the step's error.
        fmt::Debug::fmt(self.step(), f)
    }
}

impl<E> std::error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.step())
    }
}

/// An error of a step's body that can be kept as it is: the bound of `.typed()`.
///
/// Every recordable error is one, and so is [`Fatal`] of one: then the error within is what is kept.
#[diagnostic::on_unimplemented(
    message = "the error of a typed step must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to the error, or leave out `.typed()`"
)]
pub trait TypedFailure: Sized {
    /// What is kept, and given back in [`Failure::Failed`].
    type Kept: Recordable;

    /// Writes what is kept.
    #[doc(hidden)]
    fn keep(&self) -> Result<Payload, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<E: Recordable> TypedFailure for E {
    type Kept = E;

    fn keep(&self) -> Result<Payload, CodecError> {
        Payload::encode(self)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Recordable> TypedFailure for Fatal<E> {
    type Kept = E;

    fn keep(&self) -> Result<Payload, CodecError> {
        Payload::encode(self.get())
    }
}
