//! Says when a run has used a fifth of a limit: in the log, long before the limit ends it.
//!
//! Once for each instance and limit, as far as this worker remembers. Owns what is remembered and the words. Decides
//! nothing. Called with each write of a drive and with each claim, so what is within its bounds costs a comparison.

use std::collections::HashSet;
use std::sync::Mutex;

use super::supervise::lock;
use crate::authoring::task::RunTask;
use crate::journal::command::{Outgoing, Then, Write};
use crate::journal::record::Record;
use crate::words::id::InstanceId;
use crate::words::limits::{
    BRANCHES_MAX, DEPTH_MAX, EVENTS_MAX, JOURNAL_BYTES_MAX, MAILBOX_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_WARN_BYTES,
    RECORDS_MAX, WARN_PART,
};

/// So many instances and limits are remembered; then it begins anew.
const REMEMBERED_MAX: usize = 10_000;

/// A limit that a run comes nearer to while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    Records,
    JournalBytes,
    Events,
    Unread,
    Branches,
    Depth,
    Payload,
}

impl Limit {
    /// What it is called, its bound, and what helps.
    const fn words(self) -> (&'static str, u64, &'static str) {
        match self {
            Self::Records => ("records in its journal", RECORDS_MAX as u64, "split the work into child workflows"),
            Self::JournalBytes => {
                ("bytes of records in its journal", JOURNAL_BYTES_MAX, "split the work into child workflows")
            }
            Self::Events => ("events received", EVENTS_MAX, "send fewer events, or begin new instances"),
            Self::Unread => ("unread events", MAILBOX_MAX as u64, "events come faster than they are waited for"),
            Self::Branches => ("operations open at once", BRANCHES_MAX as u64, "join fewer at once"),
            Self::Depth => ("levels of groups and parts", DEPTH_MAX as u64, "nest less deep"),
            Self::Payload => (
                "bytes in one result, output or input of a child",
                PAYLOAD_BYTES_MAX as u64,
                "a reference to where the data is would be cheaper to keep",
            ),
        }
    }

    /// From here on it is told.
    const fn told_from(self) -> u64 {
        match self {
            Self::Payload => PAYLOAD_WARN_BYTES as u64,
            _ => self.words().1 / WARN_PART,
        }
    }
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<HashSet<(InstanceId, Limit)>>);

impl Warnings {
    /// Says it if so much of the limit is used, for the first time.
    pub(super) fn look(&self, id: &InstanceId, limit: Limit, used: u64) {
        self.look_in(id, limit, used, || None);
    }

    fn look_in(&self, id: &InstanceId, limit: Limit, used: u64, of: impl FnOnce() -> Option<String>) {
        if used < limit.told_from() || !self.is_new(id, limit) {
            return;
        }
        let (what, max, advice) = limit.words();
        // A field that is none is not shown.
        let of = of();
        tracing::warn!(instance = %id, used, limit = max, of, "the run nears a limit: {what}; {advice}");
    }

    fn is_new(&self, id: &InstanceId, limit: Limit) -> bool {
        let mut told = lock(&self.0);
        if told.len() >= REMEMBERED_MAX {
            told.clear();
        }
        told.insert((id.clone(), limit))
    }

    /// Looks at a run that is about to write.
    pub(super) fn look_at_run(&self, id: &InstanceId, task: &RunTask) {
        let (open, depth) = task.extent();
        self.look(id, Limit::Branches, open as u64);
        self.look(id, Limit::Depth, depth as u64);
    }

    /// Looks at what was written, by a run that now has so many records and bytes of them and has received so many events.
    pub(super) fn look_at_write(&self, id: &InstanceId, write: &Write, records: u32, bytes: u64, events: u64) {
        self.look(id, Limit::Records, u64::from(records));
        self.look(id, Limit::JournalBytes, bytes);
        self.look(id, Limit::Events, events);
        for record in &write.records {
            let of = || Record::decode(record.as_bytes()).ok().map(|record| record.path.to_string());
            self.look_in(id, Limit::Payload, record.as_bytes().len() as u64, of);
        }
        for outgoing in &write.outgoing {
            if let Outgoing::CreateChild { id: child, spec } = outgoing {
                let of = || Some(format!("the child {child}"));
                self.look_in(id, Limit::Payload, spec.input.as_bytes().len() as u64, of);
            }
        }
        if let Then::Finish(ending) = &write.then
            && let Ok(output) = &ending.result
        {
            let of = || Some("its output".to_owned());
            self.look_in(id, Limit::Payload, output.as_bytes().len() as u64, of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_told_from_a_fifth_on() {
        for (limit, from) in [
            (Limit::Records, 5_000),
            (Limit::JournalBytes, 32 * 1024 * 1024 / 5),
            (Limit::Events, 2_000),
            (Limit::Unread, 200),
            (Limit::Branches, 2_000),
            (Limit::Depth, 20),
            (Limit::Payload, 256 * 1024),
        ] {
            assert_eq!(limit.told_from(), from, "{limit:?}");
        }
    }

    #[test]
    fn each_instance_and_limit_is_told_once_and_memory_is_bounded() {
        let warnings = Warnings::default();
        let id = |number: usize| InstanceId::new(format!("i{number}")).expect("valid");
        assert!(warnings.is_new(&id(0), Limit::Unread));
        assert!(!warnings.is_new(&id(0), Limit::Unread));
        assert!(warnings.is_new(&id(0), Limit::Events) && warnings.is_new(&id(1), Limit::Unread));
        for number in 2..2 * REMEMBERED_MAX {
            warnings.is_new(&id(number), Limit::Unread);
            assert!(lock(&warnings.0).len() <= REMEMBERED_MAX);
        }
        warnings.look(&id(0), Limit::Records, 4_999);
        assert!(warnings.is_new(&id(0), Limit::Records), "it was not told of what is within its bounds");
    }
}
