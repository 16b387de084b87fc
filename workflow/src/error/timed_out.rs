//! A deadline passed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was waited for did not come in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimedOut {
    /// The name of the wait; empty for `timeout(d, op)`.
    pub name: String,
    /// How long was waited.
    pub after: Duration,
}

impl TimedOut {
    pub(crate) fn new(name: &str, after: Duration) -> Self {
        Self { name: name.to_owned(), after }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "timed out after {:?}", self.after),
            name => write!(f, "the wait {name:?} timed out after {:?}", self.after),
        }
    }
}

impl std::error::Error for TimedOut {}
