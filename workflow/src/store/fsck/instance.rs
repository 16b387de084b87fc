//! What must be true of one instance, whatever keeps it: its head, its journals, its mailbox and its outbox.

use std::collections::BTreeMap;

use super::report::{Area, Finding};
use crate::journal::command::Outgoing;
use crate::journal::head::{Head, Place, Suspect};
use crate::journal::message::Message;
use crate::journal::record::Record;
use crate::journal::table::KEPT_WHILE_OPEN;
use crate::words::id::{InstanceId, SessionId};
use crate::words::limits::{CONTROLS_REMEMBERED, JOURNAL_BYTES_MAX, RECORDS_MAX};
use crate::words::time::Timestamp;

/// Messages by position; `None` for what cannot be read.
pub(crate) type Mailbox = BTreeMap<u64, Option<Message>>;

/// Everything of one instance, as it was found at one moment.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) id: &'a InstanceId,
    pub(crate) head: &'a Head,
    /// The records of each run that has any.
    pub(crate) journals: BTreeMap<u32, Journal>,
    /// The old runs that are kept.
    pub(crate) archives: BTreeMap<u32, Archived>,
    /// What is in its mailbox.
    pub(crate) mailbox: Mailbox,
    /// How many ids of messages it knows.
    pub(crate) event_ids: u64,
    /// Positions of messages whose id it does not know.
    pub(crate) unknown_ids: Vec<u64>,
    /// The commands that are not acknowledged, by number; `None` for what cannot be read.
    pub(crate) outbox: BTreeMap<u64, Option<Outgoing>>,
}

/// An old run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Archived {
    pub(crate) expires_at: Timestamp,
    /// How many records it has, where that is kept beside them.
    pub(crate) records: Option<u32>,
}

/// The records of one run, as they are read one after the other.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    count: u32,
    bytes: u64,
    /// The first number that is missing before one that is there.
    gap: Option<u32>,
    /// Records that cannot be read.
    unreadable: Vec<(u32, String)>,
    /// The first record that is older than the one before it.
    backwards: Option<u32>,
    newest: Option<Timestamp>,
}

impl Journal {
    /// Takes the next record, in the order of their numbers.
    pub(crate) fn add(&mut self, number: u32, bytes: &[u8]) {
        if number != self.count && self.gap.is_none() {
            self.gap = Some(self.count);
        }
        self.count += 1;
        self.bytes += bytes.len() as u64;
        match Record::decode(bytes) {
            Err(error) => self.unreadable.push((number, error.to_string())),
            Ok(record) => {
                if self.newest.is_some_and(|newest| record.time < newest) && self.backwards.is_none() {
                    self.backwards = Some(number);
                }
                self.newest = Some(record.time);
            }
        }
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }
}

/// Everything that contradicts something else of the instance.
pub(crate) fn check_instance(kept: &Kept<'_>) -> Vec<Finding> {
    let mut check = Check { kept, wrong: Vec::new() };
    check.head();
    check.fork();
    check.journals();
    check.mailbox();
    check.outbox();
    check.wrong
}

/// What a session holds, or has in its inbox, must be found when that session ends.
pub(crate) fn check_session(id: &InstanceId, head: &Head, is_known: impl Fn(SessionId) -> bool) -> Option<Finding> {
    match head.place {
        Place::Held { session, .. } | Place::Inbox { session, .. } if !is_known(session) => {
            let what = format!("it belongs to a session that does not exist ({session})");
            Some(Finding::of(Area::Session, Some(id), "head", what))
        }
        _ => None,
    }
}

struct Check<'a> {
    kept: &'a Kept<'a>,
    wrong: Vec<Finding>,
}

impl Check<'_> {
    fn complain(&mut self, area: Area, place: &str, what: String) {
        self.wrong.push(Finding::of(area, Some(self.kept.id), place, what));
    }

    fn complain_if(&mut self, wrong: bool, area: Area, place: &str, what: &str) {
        if wrong {
            self.complain(area, place, what.to_owned());
        }
    }

    /// What no transition of the table leaves behind.
    fn head(&mut self) {
        let head = self.kept.head;
        let held = matches!(head.place, Place::Held { .. });
        let done = matches!(head.place, Place::Done { .. });
        let answered = head.last_write.as_ref().map_or(0, |(_, reply)| match reply {
            crate::journal::command::OwnReply::Ok(granted) | crate::journal::command::OwnReply::Continue(granted) => {
                granted.v
            }
            _ => 0,
        });
        let marked = matches!(head.suspect, Suspect::Marked { .. });
        let starts = matches!(head.place, Place::Asleep { .. }) && !head.begun && head.due() == Some(Timestamp::MAX);
        let contradictions = [
            (head.run == 0, "its first run is numbered 0"),
            (held && !head.begun, "it is held and has not begun"),
            (head.pause && !held, "a pause is asked for of what nobody holds"),
            (marked && !held, "it is marked as tried alone and nobody holds it"),
            (starts, "it waits for its start and has no start time"),
            (answered > head.v, "its newest write was answered with a later version than it has"),
            (head.last_controls.len() > CONTROLS_REMEMBERED, "it remembers more controls than are kept"),
            (done && head.unread > 0, "it has ended and counts unread messages"),
            (done && !head.children.is_empty(), "it has ended and has children to close"),
            (
                head.records > RECORDS_MAX || head.journal_bytes > JOURNAL_BYTES_MAX,
                "it has more records than a run may",
            ),
        ];
        for (wrong, what) in contradictions {
            self.complain_if(wrong, Area::Head, "head", what);
        }
    }

    /// Whoever begins with an open fork reads its source first.
    fn fork(&mut self) {
        let Some(fork) = &self.kept.head.fork else { return };
        let future = fork.source >= self.kept.head.run || fork.streams > fork.source;
        self.complain_if(future, Area::Head, "head", "the run that it comes from is not older than it");
        let kept = self.kept.archives.get(&fork.source).is_some_and(|old| old.expires_at >= KEPT_WHILE_OPEN);
        let lost = fork.open && !kept;
        self.complain_if(lost, Area::Journal, "old runs", "the run that an open fork comes from is not kept for it");
    }

    fn journals(&mut self) {
        let (kept, head) = (self.kept, self.kept.head);
        let not_older = kept.archives.keys().any(|run| *run >= head.run);
        self.complain_if(not_older, Area::Journal, "old runs", "an old run is not older than the newest");
        for (run, journal) in &kept.journals {
            self.journal(*run, journal);
            if *run != head.run && !kept.archives.contains_key(run) {
                self.complain(Area::Journal, "records", format!("run {run} has records and is not kept"));
            }
        }
        let none = Journal::default();
        let newest = kept.journals.get(&head.run).unwrap_or(&none);
        if (newest.count, newest.bytes) != (head.records, head.journal_bytes) {
            let what = format!(
                "the head counts other records than there are: {} of {} bytes, and there are {} of {}",
                head.records, head.journal_bytes, newest.count, newest.bytes
            );
            self.complain(Area::Journal, "records", what);
        }
        for (run, archived) in kept.archives.iter().filter(|(run, _)| **run < head.run) {
            let count = kept.journals.get(run).map_or(0, Journal::count);
            if let Some(records) = archived.records.filter(|records| *records != count) {
                let what = format!("old run {run} counts {records} records, and there are {count}");
                self.complain(Area::Journal, "old runs", what);
            }
        }
    }

    fn journal(&mut self, run: u32, journal: &Journal) {
        if let Some(missing) = journal.gap {
            let what = format!("the journal of run {run} has a gap: record {missing} is missing");
            self.complain(Area::Journal, "records", what);
        }
        for (number, error) in &journal.unreadable {
            let what = format!("record {number} of run {run} cannot be read: {error}");
            self.complain(Area::Record, "records", what);
        }
        if let Some(number) = journal.backwards {
            let what = format!("record {number} of run {run} is older than the one before it");
            self.complain(Area::Record, "records", what);
        }
    }

    fn mailbox(&mut self) {
        let (kept, head) = (self.kept, self.kept.head);
        for (position, _) in kept.mailbox.iter().filter(|(_, message)| message.is_none()) {
            self.complain(Area::Mailbox, "messages", format!("message {position} cannot be read"));
        }
        for position in &kept.unknown_ids {
            self.complain(Area::Mailbox, "event ids", format!("the id of message {position} is not known"));
        }
        let newest = kept.mailbox.keys().next_back().copied().unwrap_or(0);
        let unread = kept.mailbox.len() as u64;
        if unread != u64::from(head.unread) || newest > head.arrivals || kept.mailbox.contains_key(&0) {
            let what = format!(
                "the head counts other messages than there are: {} unread of {}, and there are {unread}, the newest is \
                 {newest}",
                head.unread, head.arrivals
            );
            self.complain(Area::Mailbox, "messages", what);
        }
        let ended = matches!(head.place, Place::Done { .. });
        let known = kept.event_ids;
        let all = if ended { 0 } else { head.arrivals };
        // A fork goes on counting where its source ended, and the ids of a run that has ended are forgotten.
        let some = if head.fork.is_some() { 0 } else { all };
        if !(some..=all).contains(&known) {
            let what = format!("{known} event ids are known of {} messages", head.arrivals);
            self.complain(Area::Mailbox, "event ids", what);
        }
    }

    fn outbox(&mut self) {
        let (kept, head) = (self.kept, self.kept.head);
        for (number, _) in kept.outbox.iter().filter(|(_, command)| command.is_none()) {
            self.complain(Area::Outbox, "outbox", format!("outgoing command {number} cannot be read"));
        }
        let newest = kept.outbox.keys().next_back().copied().unwrap_or(0);
        let beyond = newest > head.outgoing || kept.outbox.contains_key(&0);
        self.complain_if(beyond, Area::Outbox, "outbox", "an outgoing command is newer than the head counts");
    }
}
