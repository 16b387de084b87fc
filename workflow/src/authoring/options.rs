//! The options of steps and groups.

use std::fmt::Display;
use std::time::Duration;

use super::operation::Label;
use crate::journal::path::Kind;
use crate::words::location::Location;
use crate::words::retry::RetryPolicy;

/// What a step or group is called, and how it is tried.
///
/// Both have the same methods for it, written out: a message of the compiler shows the method that is called, and shows
/// it badly when a macro wrote it.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) label: Label,
    pub(super) policy: RetryPolicy,
    pub(super) timeout: Option<Duration>,
}

impl Options {
    #[inline(never)]
    pub(super) fn new(kind: Kind, name: &'static str, at: Location) -> Self {
        let label = Label { kind, name, key: None, at };
        Self { label, policy: RetryPolicy::default(), timeout: None }
    }

    /// Them, for the one time that they are asked for.
    pub(super) fn take(&mut self) -> Self {
        let Label { kind, name, at, .. } = self.label;
        let label = Label { kind, name, key: self.label.key.take(), at };
        Self { label, policy: self.policy.clone(), timeout: self.timeout }
    }

    pub(super) fn set_key(&mut self, key: &impl Display) {
        self.label.key = Some(key.to_string());
    }

    pub(super) fn set_retries(&mut self, retries: u32) {
        self.policy.retries = retries;
    }
}
