//! What an operation may ask for: names, durations and nesting within their limits.
//!
//! A run that asks for more ends with a typed error, the same in every replay, as what it asks for is the same. Owns the
//! words of those errors. Called when an operation is asked for or a scope is opened.

use std::time::Duration;

use super::Machine;
use super::operation::{Ask, OpName};
use crate::journal::path::Path;
use crate::words::limits::{
    BRANCHES_MAX, DEPTH_MAX, DURATION_MS_MAX, KEY_BYTES_MAX, PATH_BYTES_MAX, RETRIES_MAX, STEP_NAME_BYTES_MAX,
};

impl Machine {
    /// How many operations are open.
    #[must_use]
    pub fn open_operations(&self) -> usize {
        self.open.len()
    }

    /// How deep groups and parts were nested so far, at the deepest.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.deepest
    }

    /// An operation was asked for, and is at this path.
    pub(super) fn check_asked(&mut self, name: OpName<'_>, ask: &Ask, path: &Path) {
        let OpName { kind, name, key, at } = name;
        let kind = kind.word();
        self.check_key(kind, name, key, &format_args!(" ({at})"));
        self.check_path(path);
        if let Ask::Wait { channel, .. } = ask {
            let bytes = channel.as_event().map_or(0, |(event_type, _)| event_type.len());
            if bytes > STEP_NAME_BYTES_MAX {
                self.exceed(format!(
                    "the type of event that {kind} {name:?} ({at}) is for has {bytes} bytes; the limit is \
                     {STEP_NAME_BYTES_MAX}"
                ));
            }
        }
        if Self::is_too_long(ask) {
            self.exceed(format!(
                "{kind} {name:?} ({at}) is to last longer than ten years of 365 days, the longest that can be waited"
            ));
        }
        if let Ask::Step { policy, .. } | Ask::Group { policy, .. } = ask
            && policy.retries > RETRIES_MAX
        {
            self.exceed(format!(
                "{kind} {name:?} ({at}) is to be tried again {} times; the limit is {RETRIES_MAX}",
                policy.retries
            ));
        }
    }

    /// A moment is not bounded: a date is a date.
    fn is_too_long(ask: &Ask) -> bool {
        let too_long = |duration: Duration| duration.as_millis() > u128::from(DURATION_MS_MAX.unsigned_abs());
        match ask {
            Ask::SleepFor(duration) => too_long(*duration),
            Ask::Step { timeout, .. } | Ask::Group { timeout, .. } | Ask::Wait { timeout, .. } => {
                timeout.is_some_and(too_long)
            }
            _ => false,
        }
    }

    pub(super) fn check_key(&mut self, kind: &str, name: &str, key: Option<&str>, at: &dyn std::fmt::Display) {
        let bytes = key.map_or(0, str::len);
        if bytes > KEY_BYTES_MAX {
            self.exceed(format!("the key of {kind} {name:?}{at} has {bytes} bytes; the limit is {KEY_BYTES_MAX}"));
        }
    }

    fn check_path(&mut self, path: &Path) {
        let bytes = path.as_str().len();
        if bytes > PATH_BYTES_MAX {
            self.exceed(format!(
                "the names and keys of the groups and parts around an operation take {bytes} bytes with its own; the \
                 limit is {PATH_BYTES_MAX}"
            ));
        }
    }

    /// A scope was opened.
    pub(super) fn check_depth(&mut self, depth: usize, path: &Path) {
        self.deepest = self.deepest.max(depth);
        if depth > DEPTH_MAX {
            self.exceed(format!("groups and parts nest deeper than {DEPTH_MAX} at {path}"));
        }
    }

    pub(super) fn check_width(&mut self) {
        if self.open.len() > BRANCHES_MAX {
            self.exceed(format!("more than {BRANCHES_MAX} operations are open at once"));
        }
    }
}
