//! The moves between places that more than one command makes: to ready, out of sleep, into a pause.

use std::mem;

use super::Hint;
use crate::journal::command::{InstanceSpec, PauseReason, Wait};
use crate::journal::head::{Head, Place, Suspect};
use crate::words::id::InstanceId;
use crate::words::time::Timestamp;

/// How much later a step of priority makes new work, in milliseconds.
pub(crate) const PRIORITY_STEP_MS: i64 = 30_000;
/// How much earlier than new work comes what has begun: a day, in milliseconds. It ends before new work starts, and
/// because the lead is finite nothing starves.
pub(crate) const BEGUN_LEAD_MS: i64 = 24 * 60 * 60 * 1000;

/// The place in the ready list of work that is ready at `at`.
pub(super) fn score(spec: &InstanceSpec, begun: bool, at: Timestamp) -> i64 {
    let lead = if begun { BEGUN_LEAD_MS } else { 0 };
    at.as_millis().saturating_add(i64::from(spec.priority) * PRIORITY_STEP_MS).saturating_sub(lead)
}

/// Since when an instance is in the ready list; `None` when it is not.
#[must_use]
pub fn ready_since(head: &Head) -> Option<Timestamp> {
    let Place::Ready { score: place } = head.place else { return None };
    // What a place is later than its time is the same for every time.
    let added = score(&head.spec, head.begun, Timestamp::from_millis(0));
    Some(Timestamp::from_millis(place.saturating_sub(added)))
}

/// To the ready list.
pub(super) fn to_ready(head: &mut Head, now: Timestamp) -> Hint {
    head.place = Place::Ready { score: score(&head.spec, head.begun, now) };
    Hint::Ready(head.spec.queue.clone())
}

/// A sleeping instance is woken: for the session that has it in memory, if that lives, else for anyone.
pub(super) fn wake(head: &mut Head, sticky_alive: bool, now: Timestamp) -> Hint {
    head.raise(now);
    head.updated_at = now;
    let sticky = head.session().filter(|_| sticky_alive);
    let waits = take_waits(head);
    match sticky {
        Some(session) => {
            head.place = Place::Inbox { session, since: now, waits };
            Hint::Inbox(session)
        }
        None => to_ready(head, now),
    }
}

/// Into a pause, keeping what it waits for.
pub(super) fn to_paused(head: &mut Head, id: &InstanceId, reason: PauseReason, now: Timestamp) -> Hint {
    let waits = take_waits(head);
    pause_with(head, id, reason, waits, now)
}

/// Into a pause, waiting for `waits`. A pause that was asked for is answered by any pause.
pub(super) fn pause_with(
    head: &mut Head,
    id: &InstanceId,
    reason: PauseReason,
    waits: Vec<Wait>,
    now: Timestamp,
) -> Hint {
    head.pause = false;
    head.place = Place::Paused { reason, since: now, waits };
    Hint::Changed(id.clone())
}

/// Takes what it waits for out of its place.
pub(super) fn take_waits(head: &mut Head) -> Vec<Wait> {
    match &mut head.place {
        Place::Asleep { waits, .. } | Place::Inbox { waits, .. } | Place::Paused { waits, .. } => mem::take(waits),
        Place::Ready { .. } | Place::Shelved | Place::Held { .. } | Place::Done { .. } => Vec::new(),
    }
}

/// A worker that tried it alone gave it back in good order: it is a suspect still, but no crash is counted.
pub(super) fn unmark(head: &mut Head) {
    if let Suspect::Marked { crashes } = head.suspect {
        head.suspect = Suspect::Yes { crashes };
    }
}
