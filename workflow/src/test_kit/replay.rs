//! The same code on the same journal: a finished test is replayed, cut at every record.

use std::sync::Arc;

use super::world::World;
use crate::authoring::run::{Answer, Attempt, StandIn};
use crate::authoring::task::{Action, RunTask};
use crate::journal::command::{Ending, PauseReason, Then};
use crate::journal::record::Record;
use crate::words::time::ManualClock;

/// About how many records are replayed in all the cuts of one journal. A journal of up to 400 records is cut at every
/// record; a longer one at fewer places, evenly, and at its end.
const REPLAYED_MAX: usize = 80_000;

/// A replay that did not do the same.
pub(super) struct Difference {
    /// How many records were replayed.
    pub(super) records: usize,
    /// What it did instead.
    pub(super) message: String,
}

/// No body runs in a replay.
pub(super) struct Silent;

impl StandIn for Silent {
    fn body(&self, _: &Attempt<'_>) -> Option<Answer> {
        Some(Answer::Never)
    }
}

/// Replays every cut. `end` is how the run ended, if it did.
pub(super) fn check(world: &World, records: &[Record], end: Option<&Ending>) -> Result<(), Difference> {
    let cuts = (2 * REPLAYED_MAX / records.len().max(1)).max(1);
    let step = records.len().div_ceil(cuts).max(1);
    for cut in (0..records.len()).step_by(step).chain([records.len()]) {
        let whole = end.filter(|_| cut == records.len());
        if let Some(message) = differs(world, &records[..cut], whole, end) {
            return Err(Difference { records: cut, message });
        }
    }
    Ok(())
}

fn differs(world: &World, records: &[Record], whole: Option<&Ending>, end: Option<&Ending>) -> Option<String> {
    let at = records.last().map(|record| record.time).or(world.head().map(|head| head.started_at))?;
    let (start, registration, resources) = world.replay(world.subject(), at)?;
    let clock = Arc::new(ManualClock::starting_at(at));
    let mut task = RunTask::new(start, records.to_vec(), registration, resources, Some(Arc::new(Silent)), clock);
    let then = match task.advance() {
        Action::Write(write) => Some(write.then),
        Action::Idle { .. } => None,
    };
    match then {
        Some(Then::Park(reason)) => Some(words(&reason)),
        Some(Then::Finish(ending)) if end.is_some_and(|end| *end != ending) => {
            Some("it ended with another result".to_owned())
        }
        Some(Then::Finish(_)) => None,
        _ if whole.is_some() => Some("it did not end".to_owned()),
        _ => None,
    }
}

/// A reason in words.
pub(super) fn words(reason: &PauseReason) -> String {
    match reason {
        PauseReason::Divergence(divergence) => divergence.to_string(),
        PauseReason::Panic { message } => format!("the workflow panicked: {message}"),
        PauseReason::Unreadable { message } => message.clone(),
        PauseReason::Operator => "it was paused".to_owned(),
        PauseReason::Quarantined { crashes } => format!("it is in quarantine after {crashes} crashes"),
    }
}
