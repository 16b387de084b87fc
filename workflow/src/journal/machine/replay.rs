//! What the journal holds, and whether the code still matches it.
//!
//! Records are taken in order. The operation of the next one must be open, or must have been asked for and dropped, or
//! lie in a group that is finished or gone (the latter two are skipped). Anything else is divergence.

use std::collections::{HashMap, HashSet};

use super::fork::Cut;
use super::operation::Phase;
use super::{Ask, Compared, Machine, Next, OpId};
use crate::journal::command::PauseReason;
use crate::journal::divergence::{Divergence, Side};
use crate::journal::message::Channel;
use crate::journal::path::Path;
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::InstanceId;
use crate::words::time::Timestamp;

/// The records that remain, and what must be known of them ahead.
#[derive(Debug)]
pub(super) struct Replay {
    records: Vec<Record>,
    next: usize,
    /// Groups that end here or later are entered all the same: see [`Compared::Replay`].
    enter_from: usize,
    /// Where each group's records stand: its ends, and the attempts that failed.
    groups: HashMap<Path, GroupRecords>,
    /// The changes that the run has taken.
    changes: HashSet<Path>,
    /// Where it finds out what a fork keeps.
    pub(super) cut: Option<Cut>,
}

#[derive(Debug, Default)]
struct GroupRecords {
    ends: Vec<usize>,
    failures: Vec<usize>,
}

impl Replay {
    pub(super) fn new(records: Vec<Record>, compared: Compared) -> Self {
        let (enter_from, cut) = match compared {
            Compared::Replay { enter_from } => (enter_from, None),
            Compared::Fork { from } => (usize::MAX, Some(Cut::new(from, &records))),
            Compared::No | Compared::Run => (usize::MAX, None),
        };
        let mut groups: HashMap<Path, GroupRecords> = HashMap::new();
        let mut changes = HashSet::new();
        for (index, record) in records.iter().enumerate() {
            match record.entry {
                Entry::Changed => {
                    changes.insert(record.path.clone());
                }
                Entry::Done(_) | Entry::Attempt { .. } if record.path.is_group() => {
                    let group = groups.entry(record.path.clone()).or_default();
                    match record.entry {
                        Entry::Done(_) => group.ends.push(index),
                        _ => group.failures.push(index),
                    }
                }
                _ => {}
            }
        }
        Self { records, next: 0, enter_from, groups, changes, cut }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.next >= self.records.len()
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) const fn position(&self) -> usize {
        self.next
    }

    fn peek(&self) -> Option<&Record> {
        self.records.get(self.next)
    }

    /// Whether nothing remains but answers of `changed`: what is asked for now was never passed before.
    pub(super) fn only_changes_remain(&self) -> bool {
        self.records[self.next..].iter().all(|record| record.entry == Entry::Changed)
    }

    pub(super) fn has_change(&self, path: &Path) -> bool {
        self.changes.contains(path)
    }

    /// Whether the journal holds the end of the group that is asked for now: an end ahead that no failed attempt of
    /// the group itself or of a group around it comes before.
    pub(super) fn group_ends_ahead(&self, path: &Path) -> bool {
        let end = self.groups.get(path).and_then(|group| ahead(&group.ends, self.next));
        let Some(end) = end.filter(|end| *end < self.enter_from) else { return false };
        if self.cut.as_ref().is_some_and(|cut| cut.reopens(path, self.next, end)) {
            return false;
        }
        let fails_before = |group: &GroupRecords| ahead(&group.failures, self.next).is_some_and(|at| at < end);
        !path.enclosing().filter_map(|outer| self.groups.get(outer)).any(fails_before)
    }
}

/// The first of sorted `positions` at or after `from`.
fn ahead(positions: &[usize], from: usize) -> Option<usize> {
    positions.get(positions.partition_point(|at| *at < from)).copied()
}

/// What the next record means for the code as it stands.
enum Meaning {
    /// It belongs to this open operation.
    Of(OpId),
    /// It belongs to something that is gone or finished.
    Skip,
    /// The code does not ask for it.
    Unasked,
}

impl Machine {
    /// Takes records until something is to be done by the future; `None` when none remain.
    pub(super) fn replay_next(&mut self) -> Option<Next> {
        while self.parked.is_none() {
            let record = self.replay.peek()?.clone();
            if self.forgets(&record) {
                self.replay.next += 1;
                continue;
            }
            let meaning = self.meaning(&record.path, &record.entry);
            let next = match meaning {
                Meaning::Skip => {
                    self.remember_skipped(&record);
                    Some(None)
                }
                Meaning::Of(id) => self.take_record(id, &record),
                Meaning::Unasked => None,
            };
            match next {
                Some(next) => {
                    self.replay.next += 1;
                    self.replay.keep(&record);
                    self.last_time = self.last_time.max(record.time);
                    if next.is_some() {
                        self.live = false;
                        return next;
                    }
                }
                None => self.park_unasked(&record),
            }
        }
        None
    }

    fn meaning(&mut self, path: &Path, entry: &Entry) -> Meaning {
        match entry {
            Entry::Changed => return Meaning::Skip,
            Entry::Shifted { by_ms } => {
                self.shift_timers(*by_ms);
                return Meaning::Skip;
            }
            _ => {}
        }
        if let Some(id) = self.current.get(path) {
            match self.op(*id).phase {
                // A finished group replays as its end alone; what its attempts left behind is skipped.
                Phase::Open if self.op(*id).collapsed && !matches!(entry, Entry::Done(_)) => return Meaning::Skip,
                Phase::Dropped => return Meaning::Skip,
                Phase::Ready(_) | Phase::Taken => {}
                _ => return Meaning::Of(*id),
            }
        }
        let gone = path.enclosing().any(|scope| self.gone(scope).is_some());
        if gone { Meaning::Skip } else { Meaning::Unasked }
    }

    /// The operation of a scope, if what is recorded inside it is not asked for: it is finished, or its block is gone.
    pub(super) fn gone(&self, scope: &str) -> Option<OpId> {
        let id = *self.current.get(scope)?;
        let op = self.op(id);
        (op.collapsed || matches!(op.phase, Phase::Dropped | Phase::Retrying)).then_some(id)
    }

    /// Applies a record to its operation. `None` when the operation is not one that can have such a record.
    #[expect(clippy::option_option, reason = "outer: does it fit; inner: is there something to do")]
    fn take_record(&mut self, id: OpId, record: &Record) -> Option<Option<Next>> {
        match &record.entry {
            Entry::Done(outcome) if fits(&self.op(id).ask, outcome) => {
                if !self.block_agrees(id, outcome) {
                    self.park_block(record);
                    return None;
                }
                self.deliver(id, outcome.clone(), record.time);
                Some(Some(Next::Deliver(id)))
            }
            Entry::Begun { due, shifts } if self.op(id).timeout().is_some() || is_sleep(&self.op(id).ask) => {
                self.set_timer(id, *due, *shifts);
                self.leave_asked(id);
                Some(None)
            }
            Entry::Started { child } if matches!(self.op(id).ask, Ask::Child(_)) => {
                self.recall_child(id, child);
                self.op_mut(id).started = true;
                self.child_started(record.path.clone());
                self.leave_asked(id);
                Some(None)
            }
            Entry::SetAside { .. } if self.op(id).channel().is_some() => Some(None),
            Entry::Attempt { number, failure, due } if self.op(id).attempt() == *number => {
                self.take_failed_attempt(id, failure, *due)
            }
            Entry::Resumed { number } if self.op(id).is_group() && self.op(id).attempt() == *number => {
                (self.op(id).phase == Phase::Retrying).then(|| {
                    self.resume_group(id);
                    Some(Next::Run(vec![id]))
                })
            }
            _ => None,
        }
    }

    /// Whether the block of a group that was entered for a comparison has come to the end that is recorded.
    fn block_agrees(&self, id: OpId, outcome: &Outcome) -> bool {
        let op = self.op(id);
        if self.replay.enter_from == usize::MAX || !op.is_group() || op.collapsed {
            return true;
        }
        match (&op.phase, outcome) {
            (Phase::Ended(Ok(value)), Outcome::Value(recorded)) => value.is_same_value(recorded),
            (Phase::Ended(Err(failure)), Outcome::Failed(recorded)) => failure.is_same(recorded),
            // Its time was up.
            (Phase::Running, Outcome::Failed(recorded)) => recorded.kind == FailureKind::TimedOut,
            _ => false,
        }
    }

    fn park_block(&mut self, record: &Record) {
        let what = format!("{} of {}", record.entry.word(), record.path);
        let message = format!("the journal has the {what} next, and its block has come to another end, or to none");
        self.park_at(record, what, message);
    }

    #[expect(clippy::option_option, reason = "as take_record, whose arm this is")]
    fn take_failed_attempt(&mut self, id: OpId, failure: &FailureData, due: Timestamp) -> Option<Option<Next>> {
        self.op(id).policy()?;
        let block_runs = self.op(id).phase == Phase::Running;
        if self.op(id).is_group() {
            // The block must have failed in the replay too, unless its time was up.
            let failed = matches!(self.op(id).phase, Phase::Ended(Err(_)));
            let late = block_runs && failure.kind == FailureKind::TimedOut;
            if !(failed || late) {
                return None;
            }
        }
        self.retry_later(id, due);
        self.leave_asked(id);
        Some((block_runs && self.op(id).is_group()).then_some(Next::Cancel(id)))
    }

    fn leave_asked(&mut self, id: OpId) {
        let op = self.op_mut(id);
        if op.phase == Phase::Asked {
            op.phase = Phase::Open;
        }
    }

    /// Makes an outcome available to its future.
    pub(super) fn deliver(&mut self, id: OpId, outcome: Outcome, time: Timestamp) {
        self.close(id);
        self.delivered_time = self.delivered_time.max(time);
        let op = self.op(id);
        if succeeded(&outcome) && self.may_be_asked_again(&op.path) {
            let path = op.path.clone();
            self.kept.insert(path, outcome.clone());
        }
        let op = self.op_mut(id);
        op.outcome = Some(outcome.word());
        op.phase = Phase::Ready(outcome);
    }

    /// What a finished group leaves behind although its records are skipped: when a group around it is tried again, its
    /// new attempt finds what had succeeded, and its children get the ids they had.
    fn remember_skipped(&mut self, record: &Record) {
        let collapsed = |scope: &str| self.current.get(scope).is_some_and(|id| self.op(*id).collapsed);
        if !record.path.enclosing().any(collapsed) {
            return;
        }
        match &record.entry {
            Entry::Done(outcome) if succeeded(outcome) && self.may_be_asked_again(&record.path) => {
                self.kept.insert(record.path.clone(), outcome.clone());
            }
            Entry::Started { .. } => self.child_started(record.path.clone()),
            _ => {}
        }
    }

    /// The child that was created is the one that is waited for, however ids are made today.
    fn recall_child(&mut self, id: OpId, child: &InstanceId) {
        if let Some(made) = self.op_mut(id).child.replace(child.clone()).filter(|made| made != child) {
            self.mailbox.leave(&Channel::child(&made), id);
            self.mailbox.wait(&Channel::child(child), id);
        }
    }

    pub(super) fn child_started(&mut self, path: Path) {
        *self.children.entry(path).or_insert(0) += 1;
    }

    /// Whether a group around this path may be tried again.
    fn may_be_asked_again(&self, path: &Path) -> bool {
        let retried = |scope: &str| {
            let op = self.current.get(scope).map(|id| self.op(*id));
            op.is_some_and(|op| op.policy().is_some_and(|policy| policy.retries > 0))
        };
        path.enclosing().any(retried)
    }

    /// Moves every open timer that a pause shifts.
    pub(super) fn shift_timers(&mut self, by_ms: i64) {
        let shifting = self.open.iter().filter_map(|id| Some((*id, self.op(*id).due.filter(|(_, shifts)| *shifts)?.0)));
        let shifting: Vec<(OpId, Timestamp)> = shifting.collect();
        for (id, due) in shifting {
            self.clear_timer(id);
            self.set_timer(id, due.shifted(by_ms), true);
        }
        for (due, id) in std::mem::take(&mut self.retries) {
            self.op_mut(id).retry_at = None;
            self.set_retry(id, due.shifted(by_ms));
        }
    }

    fn park_unasked(&mut self, record: &Record) {
        let what = format!("{} of {}", record.entry.word(), record.path);
        let message = format!(
            "the journal has the {what} next, but the code does not ask for it; run the code that wrote the journal, \
             or guard the difference with `changed(\"…\")`"
        );
        self.park_at(record, what, message);
    }

    /// Parks at a record that the code does not go along with.
    fn park_at(&mut self, record: &Record, operation: String, message: String) {
        let side = Side { operation, path: record.path.as_str().to_owned(), source: None };
        let divergence = self.divergence(Some(side), message);
        self.park(PauseReason::Divergence(Box::new(divergence)));
    }

    /// Both sides of a disagreement, as they stand now.
    pub(super) fn divergence(&self, recorded: Option<Side>, message: String) -> Divergence {
        let asked = self.open.iter().take(Divergence::SIDES_MAX).map(|id| {
            let op = self.op(*id);
            Side { operation: op.path.to_string(), path: op.path.as_str().to_owned(), source: Some(op.at.to_string()) }
        });
        Divergence { position: self.replay.position(), recorded, asked: asked.collect(), message, traces: None }
    }

    /// The future returned although records remain: skips those of operations that are gone; parks at any other.
    pub(super) fn replay_rest(&mut self) {
        while let (None, Some(record)) = (&self.parked, self.replay.peek().cloned()) {
            let forgotten = self.forgets(&record);
            match self.meaning(&record.path, &record.entry) {
                _ if forgotten => self.replay.next += 1,
                Meaning::Skip => {
                    self.replay.next += 1;
                    self.replay.keep(&record);
                }
                _ => self.park_unasked(&record),
            }
        }
    }
}

const fn is_sleep(ask: &Ask) -> bool {
    matches!(ask, Ask::SleepFor(_) | Ask::SleepUntil(_))
}

/// Whether an operation can end like this.
const fn fits(ask: &Ask, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Value(_) | Outcome::Failed(_) => matches!(ask, Ask::Step { .. } | Ask::Group { .. }),
        Outcome::Slept => is_sleep(ask),
        Outcome::Event { .. } | Outcome::TimedOut => matches!(ask, Ask::Wait { .. }),
        Outcome::Child(_) => matches!(ask, Ask::Child(_)),
    }
}

/// Whether a new attempt of a group finds this outcome again, rather than running the operation anew.
const fn succeeded(outcome: &Outcome) -> bool {
    use crate::journal::message::ChildEnd;
    match outcome {
        Outcome::Value(_) | Outcome::Slept | Outcome::Event { .. } | Outcome::Child(ChildEnd::Complete(_)) => true,
        Outcome::Failed(_) | Outcome::TimedOut | Outcome::Child(_) => false,
    }
}
