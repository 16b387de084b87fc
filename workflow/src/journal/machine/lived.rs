//! A run and its replay: what is kept of a run that will be compared with its replay, and where a replay stands when
//! the journal is used up.

use super::trace::Trace;
use super::{Machine, Next, RunInfo};
use crate::journal::command::{Ending, PauseReason};
use crate::journal::divergence::Divergence;
use crate::journal::path::Path;
use crate::journal::record::Record;
use crate::journal::wire::Damaged;

/// Whether a run is compared with its replay when it ends, and what a replay is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Compared {
    /// It is not compared.
    #[default]
    No,
    /// It is: the machine keeps all that it records.
    Run,
    /// It is the replay.
    Replay {
        /// Groups that end at this position of the journal or later are entered all the same, and must come to the end
        /// that is recorded. Before it, as in any replay, only their ends are taken.
        enter_from: usize,
    },
    /// It is the replay that finds out what a run keeps that is restarted from an operation: see [`Machine::kept`].
    Fork {
        /// The operation.
        from: Path,
    },
}

/// A run that has ended, as it is compared with its replay.
#[derive(Debug)]
pub struct Lived {
    /// Which run.
    pub info: RunInfo,
    /// What its code asked for.
    pub trace: Trace,
    /// Its whole journal, read back from the bytes that were written; the error when it cannot be.
    pub records: Result<Vec<Record>, Damaged>,
    /// How many of the records were there when this machine began.
    pub loaded: usize,
    /// How it ended.
    pub ending: Ending,
}

/// Where a run stands when its journal is used up.
#[derive(Debug, Clone, PartialEq)]
pub enum Stand {
    /// Its code returned.
    Ended(Ending),
    /// It cannot go on.
    Parked(PauseReason),
    /// It waits for something that is not in the journal.
    Waits,
}

impl Machine {
    /// The run that ended, if it is to be compared with its replay. One that a limit has ended is not: its code did not
    /// come to an end.
    #[must_use]
    pub fn lived(&self) -> Option<Lived> {
        let written = self.written.as_ref()?;
        let ending = self.ended.clone().filter(|_| !self.exceeded && self.parked.is_none())?;
        let loaded = self.replay.records();
        let written = written.iter().map(|bytes| Record::decode(bytes.as_bytes()));
        let records = loaded.iter().cloned().map(Ok).chain(written).collect();
        Some(Lived { info: self.info.clone(), trace: self.trace(), records, loaded: loaded.len(), ending })
    }

    /// The next thing to do of what the journal holds; `None` when nothing of it remains, or the run cannot go on.
    pub fn next_recorded(&mut self) -> Option<Next> {
        if self.ended.is_none() {
            return self.replay_next();
        }
        self.replay_rest();
        None
    }

    /// Where the run stands, once [`Self::next_recorded`] has nothing more.
    #[must_use]
    pub fn stand(&self) -> Stand {
        match (&self.parked, &self.ended) {
            (Some(reason), _) => Stand::Parked(reason.clone()),
            (None, Some(ending)) => Stand::Ended(ending.clone()),
            (None, None) => Stand::Waits,
        }
    }

    /// What the code has open, as a divergence that is still to be told in words.
    #[must_use]
    pub fn stand_in_words(&self) -> Divergence {
        self.divergence(None, String::new())
    }
}
