//! The error of a block: a step's `{ block }` or a group.

use std::fmt;

use super::describe::{class_of, describe};
use super::{Error, StdBox};
use crate::words::failure::FailureData;

/// Any error, in the block of a step or group: `?` takes whatever can be boxed, and [`workflow::Error`](Error).
///
/// A block ends in `Ok(..)`; where the compiler must be told its type, write `Ok::<_, BlockError>(..)`.
pub struct BlockError {
    error: Raised,
}

enum Raised {
    /// An error, and the name of its type.
    Std(&'static str, StdBox),
    /// The catch-all error of a part or child.
    Any(Error),
}

impl BlockError {
    pub(crate) fn into_failure(self) -> FailureData {
        match self.error {
            Raised::Std(class, error) => describe(class, &error),
            Raised::Any(error) => error.into_failure(),
        }
    }
}

impl<E: Into<StdBox>> From<E> for BlockError {
    fn from(error: E) -> Self {
        Self { error: Raised::Std(class_of::<E>(), error.into()) }
    }
}

impl From<Error> for BlockError {
    fn from(error: Error) -> Self {
        Self { error: Raised::Any(error) }
    }
}

impl From<BlockError> for Error {
    fn from(error: BlockError) -> Self {
        match error.error {
            Raised::Std(class, error) => Self::of_boxed(class, &error),
            Raised::Any(error) => error,
        }
    }
}

impl fmt::Debug for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Raised::Std(_, error) => error.fmt(f),
            Raised::Any(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Raised::Std(_, error) => error.fmt(f),
            Raised::Any(error) => error.fmt(f),
        }
    }
}
