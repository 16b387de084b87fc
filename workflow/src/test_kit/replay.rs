//! The same code on the same journal: a finished test is replayed, cut at every record, and compared as a whole.

use super::world::World;
use crate::journal::command::{Ending, PauseReason};
use crate::journal::machine::Stand;
use crate::journal::record::Record;

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

/// Replays every cut, and compares the whole with the run. `end` is how the run ended, if it did.
pub(super) fn check(world: &World, records: &[Record], end: Option<&Ending>) -> Result<(), Difference> {
    let cuts = (2 * REPLAYED_MAX / records.len().max(1)).max(1);
    let step = records.len().div_ceil(cuts).max(1);
    // The whole first: what is found there is said with both traces.
    let whole = compare(world).map(|message| Difference { records: records.len(), message });
    whole.map_or(Ok(()), Err)?;
    for cut in (0..records.len()).step_by(step).chain([records.len()]) {
        if let Some(message) = differs(world, &records[..cut], end) {
            return Err(Difference { records: cut, message });
        }
    }
    Ok(())
}

/// The run that ended and its replay.
fn compare(world: &World) -> Option<String> {
    let lived = world.lived(world.subject())?;
    let (_, code) = world.code(world.subject())?;
    code.differs(lived).map(|difference| difference.divergence.to_string())
}

/// What a replay of a part of the journal does that it may not.
fn differs(world: &World, records: &[Record], end: Option<&Ending>) -> Option<String> {
    let (info, code) = world.code(world.subject())?;
    match code.replay(info, records.to_vec(), usize::MAX).stand {
        Stand::Parked(reason) => Some(words(&reason)),
        Stand::Ended(ending) if end.is_some_and(|end| !end.is_same(&ending)) => {
            Some("it ended with another result".to_owned())
        }
        Stand::Ended(_) | Stand::Waits => None,
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
