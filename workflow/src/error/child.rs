//! A child workflow did not return a value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an awaited child workflow gave no output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildError<E> {
    /// Its function returned an error: this one.
    Failed(E),
    /// It was ended from outside.
    Terminated {
        /// Why.
        reason: String,
    },
    /// It could not be created.
    NotCreated {
        /// Why.
        reason: String,
    },
}

impl<E> ChildError<E> {
    /// The child's own error, if it returned one.
    #[must_use]
    pub fn failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Terminated { .. } | Self::NotCreated { .. } => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the child workflow failed: {error}"),
            Self::Terminated { reason } => write!(f, "the child workflow was terminated: {reason}"),
            Self::NotCreated { reason } => write!(f, "the child workflow could not be created: {reason}"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for ChildError<E> {}
