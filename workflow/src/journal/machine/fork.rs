//! What a run keeps that is restarted from one of its operations: everything of the operations its code had asked for
//! before that one.
//!
//! Only the code knows that order, so the source's journal is replayed. From the moment the operation is asked for, the
//! records of it and of what is asked for later are forgotten; those of what was asked for before are delivered as in any
//! replay, and kept. A group around the operation is kept without its end, and tried on where it was tried then.

use super::operation::Phase;
use super::replay::Replay;
use super::{Machine, OpId};
use crate::journal::command::PauseReason;
use crate::journal::path::Path;
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::FailureKind;
use crate::words::time::Timestamp;

/// A replay in which records are sorted out.
#[derive(Debug)]
pub(super) struct Cut {
    /// The operation.
    path: Path,
    /// Where the source's first record of it stands; of a group that has none of its own yet, of what is in it.
    first: Option<usize>,
    /// The operation and the run's time, from the moment the code asked for it.
    reached: Option<(OpId, Timestamp)>,
    /// Groups whose attempt has ended since by something that is forgotten: what comes inside them is of another.
    over: Vec<Path>,
    kept: Vec<Record>,
}

impl Cut {
    pub(super) fn new(path: Path, records: &[Record]) -> Self {
        let inside = |record: &Record| record.path.enclosing().any(|scope| scope == path.as_str());
        let own = records.iter().position(|record| record.path == path);
        let first = own.or_else(|| records.iter().position(inside));
        Self { path, first, reached: None, over: Vec::new(), kept: Vec::new() }
    }

    fn is_around(&self, group: &Path) -> bool {
        self.path.enclosing().any(|scope| scope == group.as_str())
    }

    /// Whether the end of this group, at position `end`, is one that the operation comes before.
    pub(super) fn reopens(&self, group: &Path, from: usize, end: usize) -> bool {
        self.is_around(group) && self.first.is_some_and(|first| (from..end).contains(&first))
    }
}

impl Replay {
    /// The record that was just taken is kept.
    pub(super) fn keep(&mut self, record: &Record) {
        if let Some(cut) = &mut self.cut {
            cut.kept.push(record.clone());
        }
    }
}

impl Machine {
    /// What is kept, once the source is used up by a replay for [`Compared::Fork`](super::Compared::Fork). `now`: the time
    /// that has passed since the operation was asked for is a pause to the timers that are open.
    ///
    /// # Errors
    /// The code does not go along with the source, or does not come to the operation.
    pub fn kept(&mut self, now: Timestamp) -> Result<Vec<Record>, PauseReason> {
        if let Some(reason) = &self.parked {
            return Err(reason.clone());
        }
        self.reach();
        let Some(Cut { path, reached, mut kept, .. }) = self.replay.cut.take() else { return Ok(Vec::new()) };
        let Some((_, at)) = reached else {
            let message = format!(
                "the run was restarted from {path}, but the code does not come to it with this journal; run the code that \
                 wrote the journal, or restart it from another place"
            );
            return Err(PauseReason::Divergence(Box::new(self.divergence(None, message))));
        };
        forget_open_children(&mut kept);
        let time = kept.last().map_or(now, |last| last.time.max(now));
        let by_ms = time.since(at);
        if by_ms > 0 && self.has_shifting_timers() {
            kept.push(Record { time, path: Path::root(), entry: Entry::Shifted { by_ms } });
        }
        Ok(kept)
    }

    /// Whether a record is forgotten.
    pub(super) fn forgets(&mut self, record: &Record) -> bool {
        self.reach();
        let Some(Cut { reached: Some((from, _)), over, .. }) = &self.replay.cut else { return false };
        if record.path.enclosing().any(|scope| over.iter().any(|group| group.as_str() == scope)) {
            return true;
        }
        let asker = self.asker(&record.path).filter(|id| id < from);
        match record.entry {
            // The time since then is counted as a whole.
            Entry::Shifted { .. } => true,
            Entry::Changed => self.changes.get(&record.path).is_none_or(|answer| answer.asked > from.index()),
            _ => match asker {
                Some(id) if self.strays(id, record) => {
                    let cut = self.replay.cut.as_mut();
                    cut.expect("it was looked into").over.push(record.path.clone());
                    true
                }
                Some(_) => false,
                None => true,
            },
        }
    }

    /// Whether a group has come to what is recorded of it by something that is forgotten: its block has not come there.
    fn strays(&self, id: OpId, record: &Record) -> bool {
        let op = self.op(id);
        if !op.is_group() || op.collapsed || op.path != record.path {
            return false;
        }
        if self.replay.cut.as_ref().is_some_and(|cut| cut.is_around(&op.path)) {
            // Its time limit goes on; its end, and its other attempts, come after the operation.
            return !matches!(record.entry, Entry::Begun { .. });
        }
        match &record.entry {
            Entry::Done(Outcome::Failed(failure)) | Entry::Attempt { failure, .. } => match op.phase {
                Phase::Ended(Err(_)) => false,
                Phase::Running => failure.kind != FailureKind::TimedOut,
                _ => true,
            },
            Entry::Done(_) => !matches!(op.phase, Phase::Ended(Ok(_))),
            Entry::Resumed { .. } => op.phase != Phase::Retrying,
            _ => false,
        }
    }

    /// Notices that the code has asked for the operation. It asks in polls, and a poll follows a record.
    fn reach(&mut self) {
        if let Some(cut) = self.replay.cut.as_mut().filter(|cut| cut.reached.is_none()) {
            cut.reached = self.current.get(&cut.path).map(|id| (*id, self.delivered_time));
        }
    }

    /// The operation that a record belongs to, or that it stands in and that is gone or finished; `None` when the code has
    /// not asked for it yet, or not again.
    fn asker(&self, path: &Path) -> Option<OpId> {
        let expects = |id: &&OpId| !matches!(self.op(**id).phase, Phase::Ready(_) | Phase::Taken);
        let own = self.current.get(path).filter(expects).copied();
        own.or_else(|| path.enclosing().find_map(|scope| self.gone(scope)))
    }

    fn has_shifting_timers(&self) -> bool {
        !self.retries.is_empty() || self.timers.iter().any(|(_, id)| self.op(*id).due.is_some_and(|(_, shifts)| shifts))
    }
}

/// A child that had not ended was closed with its parent's run: the new run starts another.
fn forget_open_children(kept: &mut Vec<Record>) {
    let mut ended = std::collections::HashSet::new();
    let mut index = kept.len();
    while index > 0 {
        index -= 1;
        match &kept[index].entry {
            Entry::Done(Outcome::Child(_)) => drop(ended.insert(kept[index].path.clone())),
            Entry::Started { .. } if !ended.remove(&kept[index].path) => drop(kept.remove(index)),
            _ => {}
        }
    }
}
