//! A step or group failed for good.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cause::Causes;
use crate::words::failure::{FailureData, FailureKind};

/// A step or group failed, and will not be tried again.
///
/// It holds what the journal holds, so it is the same live and in every replay: the class, message and causes of the
/// body's error, not the error itself. `.typed()` on a step gives the error itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Inner {
    group: bool,
    name: String,
    key: Option<String>,
    kind: FailureKind,
    class: String,
    message: String,
    causes: Causes,
    attempts: u32,
    fatal: bool,
}

impl StepError {
    pub(crate) fn new(group: bool, name: &str, key: Option<&str>, failure: FailureData) -> Self {
        let FailureData { kind, class, message, chain, attempts, fatal, data: _ } = failure;
        Self(Box::new(Inner {
            group,
            name: name.to_owned(),
            key: key.map(str::to_owned),
            kind,
            class,
            message,
            causes: chain.into(),
            attempts,
            fatal,
        }))
    }

    /// The name of the step or group.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether it is a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.0.group
    }

    /// What kind of failure its last attempt ended with.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The type of the body's error, as the compiler names it; empty when it was boxed or a plain text.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.0.class
    }

    /// What the body's error says of itself, without the name of the step.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the sources of the body's error say, nearest first. [`std::error::Error::source`] gives the same.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        self.0.causes.iter()
    }

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the error itself ruled out further attempts, by `.fatal()` or `unless`.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("StepError")
            .field("name", &inner.name)
            .field("key", &inner.key)
            .field("kind", &inner.kind)
            .field("class", &inner.class)
            .field("message", &inner.message)
            .field("chain", &inner.causes)
            .field("attempts", &inner.attempts)
            .field("fatal", &inner.fatal)
            .finish()
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let what = if inner.group { "group" } else { "step" };
        write!(f, "{what} {:?}", inner.name)?;
        if let Some(key) = &inner.key {
            write!(f, " [{key}]")?;
        }
        f.write_str(" failed")?;
        if inner.attempts > 1 {
            write!(f, " after {} attempts", inner.attempts)?;
        }
        write!(f, ": {}", inner.message)
    }
}

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.causes.first()
    }
}
