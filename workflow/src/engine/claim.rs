//! The claim loop of one partition: asks for as many instances as there are free slots, and passes notices on.
//!
//! Woken by hints, by freed slots while there is more work than slots, and every two seconds in any case. The store decides
//! what is given; workflows and versions this worker does not know stay on their shelves. Tokens of limits are asked for
//! when a claim was short of them, and only with slots in hand that they can be used for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::backoff::{Backoff, jittered};
use super::drives::Tell;
use super::limits::{DriveSlot, Told};
use super::meter::{self, Origin};
use super::session::Session;
use super::worker::Worker;
use crate::journal::command::{Claim, ClaimReply, Claimed};
use crate::store::StoreError;

/// Most instances of one claim: a bound on the time it takes the store.
const CLAIM_MAX: usize = 128;
/// The fewest that a claim asks for where there are slots, however many partitions there are.
const CLAIM_MIN: usize = 4;
/// How long a worker that others were faster than leaves the next work to them, and at the most when they are again and
/// again: all hear of it at once, and what a claim finds and cannot have costs the store as much as what it gives.
const RACE_PAUSE: Duration = Duration::from_millis(4);
const RACE_LONGEST: Duration = Duration::from_millis(16);
/// How often the store is asked when no hint comes.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Claims until the worker stops.
pub(super) async fn claim(worker: Arc<Worker>, partition: usize) -> Result<(), StoreError> {
    let mut again = false;
    let partitions = worker.commands.partitions();
    let mut appetite = appetite_after(0, partitions);
    let mut races = Backoff::new(RACE_PAUSE, RACE_LONGEST);
    loop {
        let session = tokio::select! {
            biased;
            () = worker.until_stopping() => return Ok(()),
            session = worker.session.get() => session,
        };
        let next = claim_once(&worker, partition, &session, again, &mut appetite).await?;
        again = matches!(next, Next::Again);
        let Next::Wait { more, raced } = next else { continue };
        if !raced {
            races.reset();
        }
        let pause = async {
            if raced { give_way(&worker, partition, &mut races).await } else { wait(&worker, partition, more).await }
        };
        tokio::select! {
            biased;
            () = worker.until_stopping() => return Ok(()),
            () = pause => {}
        }
    }
}

/// What to do after a claim.
enum Next {
    /// Ask for tokens, and claim again if there are some: it was short of them, and has slots left.
    Again,
    /// Wait. `more`: there may be more than there were slots for. `raced`: others were faster with some of it.
    Wait { more: bool, raced: bool },
}

async fn claim_once(
    worker: &Arc<Worker>,
    partition: usize,
    session: &Arc<Session>,
    again: bool,
    appetite: &mut usize,
) -> Result<Next, StoreError> {
    let mut slots = free_slots(worker, *appetite);
    let limit = slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let tokens = u32::try_from(limit).expect("a claim is small");
    let limits = worker.limits.reserve(worker, session, partition, tokens).await;
    if again && !worker.limits.has_some(partition) {
        worker.limits.unreserve(partition);
        return Ok(Next::Wait { more: false, raced: false });
    }
    let claim = Claim {
        number: session.claim_number(partition),
        session: session.id(),
        limit,
        queues: worker.queues.clone(),
        known: worker.known.clone(),
        quotas: worker.quotas.of(limit),
        limits,
    };
    // Until what it gives is driven.
    let _request = worker.underway.begin();
    let (reply, resent) = worker.commands.claim(partition, claim).await?;
    if resent {
        worker.limits.doubt(partition);
    }
    match reply {
        ClaimReply::Given { now: _, instances, notices, next_due, short, started, raced } => {
            session.claim_answered(partition);
            if let Some(due) = next_due {
                worker.bells.of(partition).timer.set(due);
            }
            for id in notices {
                worker.drives.tell(&id, Tell::Look);
            }
            let given = instances.len();
            *appetite = appetite_after(given, worker.commands.partitions());
            // All tokens first: what follows may wait for slots.
            let token = |claimed: &Claimed| worker.limits.token(session, partition, &claimed.spec.workflow);
            let tokens: Vec<_> = instances.iter().map(token).collect();
            let told = Told { short: &short, started: &started, limit, gave: given > 0 };
            let worth_asking = worker.limits.answered(session, partition, &told);
            for (claimed, token) in instances.into_iter().zip(tokens) {
                // A store that gives more than was asked for makes the rest wait for slots here.
                let slot = match slots.as_mut().and_then(|slots| slots.split(1)) {
                    Some(slot) => slot,
                    None => worker.slots.clone().acquire_owned().await.expect("the slots are never closed"),
                };
                meter::given(&claimed, Origin::Claim);
                worker.drive(session.clone(), claimed, DriveSlot::new(slot, token));
            }
            Ok(if worth_asking && given < limit { Next::Again } else { Next::Wait { more: given == limit, raced } })
        }
        ClaimReply::Fenced => {
            session.revoke();
            Ok(Next::Wait { more: false, raced: false })
        }
    }
}

/// How many instances the next claim asks for. Until it is answered nobody else has their slots, neither a create nor the
/// claims in other partitions: so all together ask for half of what one may, and one that finds a backlog for more each time.
fn appetite_after(given: usize, partitions: usize) -> usize {
    let share = if partitions == 1 { CLAIM_MAX } else { CLAIM_MAX / 2 / partitions };
    (4 * given).clamp(share.max(CLAIM_MIN), CLAIM_MAX)
}

/// How many of the free slots a claim may take: as many as it wants, but those kept for creates, which could start here at
/// once while it is on its way; half of them where so few are free, or a backlog would be worked off one by one.
fn portion(free: usize, kept: usize, wanted: usize) -> usize {
    free.saturating_sub(kept).max(free.div_ceil(2)).min(wanted)
}

/// Takes the slots a claim may fill.
fn free_slots(worker: &Worker, wanted: usize) -> Option<OwnedSemaphorePermit> {
    loop {
        let free = worker.slots.available_permits();
        if free == 0 {
            return None;
        }
        let wanted = u32::try_from(portion(free, worker.kept_slots, wanted)).expect("at most a hundred and some");
        if let Ok(permit) = worker.slots.clone().try_acquire_many_owned(wanted) {
            return Some(permit);
        }
    }
}

/// Leaves work to those who were faster, but not what is this session's own. There may be more than was raced for.
async fn give_way(worker: &Worker, partition: usize, races: &mut Backoff) {
    tokio::select! {
        biased;
        () = worker.bells.of(partition).inbox.notified() => {}
        () = races.pause() => {}
    }
}

async fn wait(worker: &Worker, partition: usize, more: bool) {
    let bells = worker.bells.of(partition);
    let full = worker.slots.available_permits() == 0;
    let poll_at = Instant::now() + jittered(POLL_EVERY);
    // Tokens are of no use without slots.
    let ask_at = worker.limits.ask_at(partition).filter(|_| !full);
    let wake_at = ask_at.map_or(poll_at, |at| at.min(poll_at));
    tokio::select! {
        biased;
        () = bells.inbox.notified() => {}
        () = bells.work.notified(), if !full => {}
        // With no slot free, work is of interest only once there is one.
        () = slot_freed(worker), if more || full => {}
        () = worker.limits.freed(partition), if !full => {}
        () = tokio::time::sleep_until(wake_at) => {}
    }
}

async fn slot_freed(worker: &Worker) {
    // It goes back at once: the claim takes as many as there are.
    drop(worker.slots.acquire().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_leaves_slots_to_creates_and_takes_half_of_few() {
        assert_eq!([1_000, 300, 200, 3, 1, 0].map(|free| portion(free, 250, CLAIM_MAX)), [128, 128, 100, 2, 1, 0]);
        assert_eq!(portion(300, 280, CLAIM_MAX), 128);
        assert_eq!(portion(60, 50, CLAIM_MAX), 30);
        assert_eq!(portion(100, 20, 8), 8);
    }

    #[test]
    fn claims_of_many_partitions_ask_for_little_until_they_find_a_backlog() {
        assert_eq!([0, 1, 128].map(|given| appetite_after(given, 1)), [CLAIM_MAX; 3]);
        assert_eq!([0, 1, 4, 16, 32, 128].map(|given| appetite_after(given, 16)), [4, 4, 16, 64, 128, 128]);
        assert_eq!(appetite_after(0, 1_000), CLAIM_MIN);
    }
}
