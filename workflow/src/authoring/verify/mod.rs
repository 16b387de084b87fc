//! A run that has ended, run again from its whole journal and compared with itself.
//!
//! What no compiler can see (a clock behind a call, a static, the order of a hash map, what a resource says outside a
//! step) shows when the same code on the same journal does something else. Everything happens in memory: no body runs,
//! nothing is written. Called by the engine before it commits an end, and by the test kit after each test.

use std::sync::Arc;

use super::run::{Answer, Attempt, StandIn};
use super::task::RunTask;
use crate::definition::{Registration, Resources};
use crate::journal::command::{Ending, Granted, PauseReason};
use crate::journal::divergence::{Divergence, Traces};
use crate::journal::machine::{Compared, Comparison, Differs, Lived, RunInfo, RunStart, Stand, Trace};
use crate::journal::path::Path;
use crate::journal::record::{Entry, Record};
use crate::words::time::{ManualClock, Timestamp};

/// What every message says first.
const WHAT: &str = "replayed from its journal, the workflow does not do what it did in this run";
/// And last.
const WHY: &str = "what it asks for and how it ends may depend on nothing but its inputs and the outcomes of its \
                   operations: not on a clock, chance, a static, or the order of a hash map outside a step";

/// The code a run is replayed on.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) registration: &'static Registration,
    pub(crate) resources: Resources,
}

/// A replay that has used up its records.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) stand: Stand,
    trace: Trace,
    /// What the code had open then.
    open: Divergence,
}

#[cfg(test)]
impl Replayed {
    /// Everything that the replay did: what it asked for, in order, what became of each, and where it stands.
    pub(crate) fn words(&self) -> String {
        format!("{:?} {:?}", self.trace, self.stand)
    }
}

/// How a replay differs from its run.
#[derive(Debug)]
pub(crate) struct Difference {
    /// For the status of the instance: with what a panic or the codec says, which may be about values.
    pub(crate) divergence: Divergence,
    /// For logs: without that.
    pub(crate) said: String,
}

/// What is different, and where.
struct Finding {
    words: String,
    /// What code of the user's has to say of it.
    detail: Option<String>,
    /// The place in the traces; `None` for their ends.
    at: Option<usize>,
}

/// No body runs in a replay.
struct Silent;

impl StandIn for Silent {
    fn body(&self, _: &Attempt<'_>) -> Option<Answer> {
        Some(Answer::Never)
    }

    fn repeats(&self) -> bool {
        true
    }
}

impl Code {
    /// Runs the code over these records and nothing after them. For `enter_from` see [`Compared::Replay`].
    pub(crate) fn replay(&self, info: RunInfo, records: Vec<Record>, enter_from: usize) -> Replayed {
        let at = records.last().map_or(info.started_at, |record| record.time);
        let mut task = self.task(Self::start(info, at, Compared::Replay { enter_from }), records, at);
        let stand = task.replay();
        let (trace, open) = task.traced();
        Replayed { stand, trace, open }
    }

    /// As [`Self::replay`], with polls and wakes in between that nothing calls for.
    #[cfg(test)]
    pub(crate) fn replay_shuffled(
        &self,
        info: RunInfo,
        records: Vec<Record>,
        chance: &mut dyn FnMut(usize) -> usize,
    ) -> Replayed {
        let at = records.last().map_or(info.started_at, |record| record.time);
        let mut task = self.task(Self::start(info, at, Compared::Replay { enter_from: usize::MAX }), records, at);
        let stand = task.replay_shuffled(chance);
        let (trace, open) = task.traced();
        Replayed { stand, trace, open }
    }

    /// What a run keeps of its source, with these records, when it is restarted from the operation at `path`.
    ///
    /// # Errors
    /// The code does not go along with the source, or does not come to the operation: the run is to be parked.
    pub(crate) fn fork(
        &self,
        info: RunInfo,
        records: Vec<Record>,
        path: Path,
        now: Timestamp,
    ) -> Result<Vec<Record>, PauseReason> {
        let at = records.last().map_or(info.started_at, |record| record.time);
        self.task(Self::start(info, at, Compared::Fork { from: path }), records, at).fork(now)
    }

    fn start(info: RunInfo, at: Timestamp, compared: Compared) -> RunStart {
        RunStart {
            info,
            shift_ms: 0,
            journal_bytes: 0,
            granted: Granted { v: 0, now: at, pause: false, messages: Vec::new() },
            short_delay: std::time::Duration::ZERO,
            holds_results: true,
            compared,
        }
    }

    fn task(&self, start: RunStart, records: Vec<Record>, at: Timestamp) -> RunTask {
        let (silent, clock) = (Arc::new(Silent), Arc::new(ManualClock::starting_at(at)));
        RunTask::new(start, records, self.registration, self.resources.clone(), Some(silent), clock)
    }

    /// Compares a run with its replay; `None` when they are the same.
    ///
    /// It is replayed as the next worker would, and, where a group ended in this run, once more with the blocks of those
    /// groups: a finished group is not entered by any other replay, and yet must be the same if it had not finished.
    pub(crate) fn differs(&self, lived: &Lived) -> Option<Difference> {
        let records = match &lived.records {
            Ok(records) => records,
            Err(damaged) => return Some(Difference::unreadable(&damaged.to_string())),
        };
        let again = |enter_from: usize| {
            let replayed = self.replay(lived.info.clone(), records.clone(), enter_from);
            let sides = Comparison::new(&lived.trace, &replayed.trace);
            let finding = finding(lived, &replayed, &sides)?;
            let traces = sides.show(finding.at, &end_words(&lived.ending), &stand_words(&replayed.stand));
            Some(Difference::new(finding, replayed, traces))
        };
        again(usize::MAX).or_else(|| groups_ended(&records[lived.loaded..]).then(|| again(lived.loaded)).flatten())
    }
}

fn groups_ended(records: &[Record]) -> bool {
    records.iter().any(|record| record.path.is_group() && matches!(record.entry, Entry::Done(_)))
}

fn finding(lived: &Lived, replayed: &Replayed, sides: &Comparison<'_>) -> Option<Finding> {
    let at_the_end = |words: String| Finding { words, detail: None, at: None };
    let of = |differs: Differs| Finding { words: differs.words, detail: None, at: Some(differs.at) };
    match &replayed.stand {
        Stand::Parked(reason) => {
            let (words, detail) = stop_words(reason);
            Some(Finding { words, detail, at: sides.asked().map(|differs| differs.at) })
        }
        Stand::Waits => {
            let waits = || at_the_end("it waits where the run had ended".to_owned());
            Some(sides.asked().map_or_else(waits, of))
        }
        Stand::Ended(ending) => match sides.asked().or_else(|| sides.ended()) {
            Some(differs) => Some(of(differs)),
            None => Some(at_the_end(other_end(&lived.ending, ending)?)),
        },
    }
}

/// Why a replay could go no further, and what the user's code said, which may be about values.
fn stop_words(reason: &PauseReason) -> (String, Option<String>) {
    match reason {
        PauseReason::Divergence(divergence) => (divergence.message.clone(), None),
        PauseReason::Panic { message } => ("it panics".to_owned(), Some(message.clone())),
        PauseReason::Unreadable { message } => {
            ("it cannot read its inputs or what was recorded".to_owned(), Some(message.clone()))
        }
        PauseReason::Operator | PauseReason::Quarantined { .. } => ("it is paused".to_owned(), None),
    }
}

/// How two ends differ, without what is in them; `None` when they do not.
fn other_end(run: &Ending, replay: &Ending) -> Option<String> {
    if run.is_same(replay) {
        return None;
    }
    let words = format!("it ends with {} where the run ended with {}", end_words(replay), end_words(run));
    Some(match (&run.result, &replay.result) {
        (Ok(one), Ok(other)) if one.is_same_but_for_order(other) => format!(
            "{words}, the same but for the order of its elements (is there a `HashSet` in it, or a list made from a hash \
             map?)"
        ),
        (Ok(_), Ok(_)) => format!("{words}, another one"),
        (Err(one), Err(other)) if one.class == other.class => format!("{words}, another one"),
        _ => words,
    })
}

fn end_words(ending: &Ending) -> String {
    match &ending.result {
        Ok(output) => format!("an output of {} bytes", output.as_bytes().len()),
        Err(failure) if failure.class.is_empty() => "an error".to_owned(),
        Err(failure) => format!("an error of {}", failure.class),
    }
}

fn stand_words(stand: &Stand) -> String {
    match stand {
        Stand::Ended(ending) => end_words(ending),
        Stand::Waits => "it waits, and nothing more is recorded".to_owned(),
        Stand::Parked(PauseReason::Divergence(_)) => "it does not go along with the journal".to_owned(),
        Stand::Parked(PauseReason::Panic { .. }) => "a panic".to_owned(),
        Stand::Parked(_) => "it cannot go on".to_owned(),
    }
}

impl Difference {
    fn new(finding: Finding, replayed: Replayed, traces: Traces) -> Self {
        let said = format!("{WHAT}: {}; {WHY}{traces}", finding.words);
        let detail = finding.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
        let message = format!("{WHAT}: {}{detail}; {WHY}", finding.words);
        let stopped = match replayed.stand {
            Stand::Parked(PauseReason::Divergence(stopped)) => *stopped,
            _ => replayed.open,
        };
        Self { divergence: Divergence { message, traces: Some(traces), ..stopped }, said }
    }

    /// What the run has recorded cannot be read back: a crash would have lost the run.
    fn unreadable(damaged: &str) -> Self {
        let message = format!("the journal of this run cannot be read back: {damaged}");
        let traces = Traces { run: Vec::new(), replay: Vec::new() };
        let divergence = Divergence { position: 0, recorded: None, asked: Vec::new(), message, traces: Some(traces) };
        Self { said: divergence.message.clone(), divergence }
    }
}

#[cfg(test)]
mod tests;
