//! The claim loop of one partition: asks for as many instances as there are free slots, and passes notices on.
//!
//! Woken by hints, by freed slots while there is more work than slots, and every two seconds in any case. The store decides
//! what is given; workflows and versions this worker does not know stay on their shelves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::backoff::jittered;
use super::drives::Tell;
use super::meter::{self, Origin};
use super::session::Session;
use super::worker::Worker;
use crate::journal::command::{Claim, ClaimReply};
use crate::store::StoreError;

/// Most instances of one claim: a bound on the time it takes the store.
const CLAIM_MAX: usize = 128;
/// How often the store is asked when no hint comes.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Claims until the worker stops.
pub(super) async fn claim(worker: Arc<Worker>, partition: usize) -> Result<(), StoreError> {
    loop {
        let session = tokio::select! {
            session = worker.session.get() => session,
            () = worker.until_stopping() => return Ok(()),
        };
        let more = claim_once(&worker, partition, &session).await?;
        tokio::select! {
            () = wait(&worker, partition, more) => {}
            () = worker.until_stopping() => return Ok(()),
        }
    }
}

/// True when there may be more than there were slots for.
async fn claim_once(worker: &Arc<Worker>, partition: usize, session: &Arc<Session>) -> Result<bool, StoreError> {
    let mut slots = free_slots(worker);
    let limit = slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let claim = Claim {
        number: session.claim_number(partition),
        session: session.id(),
        limit,
        queues: worker.queues.clone(),
        known: worker.known.clone(),
    };
    match worker.commands.claim(partition, claim).await? {
        ClaimReply::Given { now: _, instances, notices, next_due } => {
            if !instances.is_empty() || !notices.is_empty() {
                session.claim_gave(partition);
            }
            if let Some(due) = next_due {
                worker.bells.of(partition).timer.set(due);
            }
            for id in notices {
                worker.drives.tell(&id, Tell::Look);
            }
            let given = instances.len();
            for claimed in instances {
                // A store that gives more than was asked for makes the rest wait for slots here.
                let slot = match slots.as_mut().and_then(|slots| slots.split(1)) {
                    Some(slot) => slot,
                    None => worker.slots.clone().acquire_owned().await.expect("the slots are never closed"),
                };
                meter::given(&claimed, Origin::Claim);
                worker.drive(session.clone(), claimed, slot);
            }
            Ok(given == limit)
        }
        ClaimReply::Fenced => {
            session.revoke();
            Ok(false)
        }
    }
}

/// Takes the slots a claim may fill: all that are free but those kept for creates, which could start here at once while
/// the claim is on its way.
fn free_slots(worker: &Worker) -> Option<OwnedSemaphorePermit> {
    loop {
        let free = worker.slots.available_permits();
        if free == 0 {
            return None;
        }
        let wanted = free.saturating_sub(worker.kept_slots).clamp(1, CLAIM_MAX);
        let wanted = u32::try_from(wanted).expect("at most a hundred and some");
        if let Ok(permit) = worker.slots.clone().try_acquire_many_owned(wanted) {
            return Some(permit);
        }
    }
}

async fn wait(worker: &Worker, partition: usize, more: bool) {
    let bells = worker.bells.of(partition);
    let full = worker.slots.available_permits() == 0;
    tokio::select! {
        () = bells.inbox.notified() => {}
        () = bells.work.notified(), if !full => {}
        // With no slot free, work is of interest only once there is one.
        () = slot_freed(worker), if more || full => {}
        () = tokio::time::sleep(jittered(POLL_EVERY)) => {}
    }
}

async fn slot_freed(worker: &Worker) {
    // It goes back at once: the claim takes as many as there are.
    drop(worker.slots.acquire().await);
}
