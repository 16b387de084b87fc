//! The options of steps and groups.

use std::fmt::Display;
use std::time::Duration;

use super::operation::Label;
use crate::journal::path::Kind;
use crate::words::limits::RETRIES_MAX;
use crate::words::location::Location;
use crate::words::retry::RetryPolicy;

/// What a step or group is called, and how it is tried.
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
        self.policy.retries = retries.min(RETRIES_MAX);
    }
}

/// The builder methods that steps and groups share. Both have a method `options`.
macro_rules! option_methods {
    () => {
        /// Tells apart the occurrences of one name: in a loop over a collection, the item's id. At most 256 bytes.
        pub fn key(mut self, key: impl std::fmt::Display) -> Self {
            self.options().set_key(&key);
            self
        }

        /// How often it is tried again after its first attempt failed. 0 unless given, at most 10,000.
        pub fn retries(mut self, retries: u32) -> Self {
            self.options().set_retries(retries);
            self
        }

        /// How long to wait before the second attempt; the base of `backoff`. Zero unless given.
        pub fn delay(mut self, delay: std::time::Duration) -> Self {
            self.options().policy.delay = delay;
            self
        }

        /// How the delay grows with each attempt. Constant unless given.
        pub fn backoff(mut self, backoff: crate::words::retry::Backoff) -> Self {
            self.options().policy.backoff = backoff;
            self
        }

        /// The longest delay that `backoff` may reach, before jitter.
        pub fn max_delay(mut self, longest: std::time::Duration) -> Self {
            self.options().policy.max_delay = Some(longest);
            self
        }

        /// By which fraction of itself (0.0 to 1.0) each delay is moved at random, to either side.
        pub fn jitter(mut self, fraction: f64) -> Self {
            self.options().policy.jitter = fraction;
            self
        }

        /// How long one attempt may take. Then it is dropped, and has failed.
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.options().timeout = Some(limit);
            self
        }
    };
}

pub(super) use option_methods;
