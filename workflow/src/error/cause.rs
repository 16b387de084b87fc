//! Recorded causes: the sources of an error once only their words are left.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The sources of a recorded error, nearest first, as a chain of errors again.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub(super) struct Causes(Option<Box<Cause>>);

/// One recorded source.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Cause {
    message: String,
    next: Causes,
}

impl Causes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.0.as_deref(), |cause| cause.next.0.as_deref()).map(|cause| cause.message.as_str())
    }

    pub(super) fn to_vec(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }

    pub(super) fn first(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|cause| cause as _)
    }
}

impl From<Vec<String>> for Causes {
    fn from(messages: Vec<String>) -> Self {
        messages.into_iter().rev().fold(Self(None), |next, message| Self(Some(Box::new(Cause { message, next }))))
    }
}

impl From<Causes> for Vec<String> {
    fn from(causes: Causes) -> Self {
        causes.to_vec()
    }
}

impl fmt::Debug for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.message, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.first()
    }
}
