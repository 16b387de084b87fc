//! What the periodic sweep does with one instance: due timers, inboxes nobody empties, retention.

use std::time::Duration;

use super::moves::{to_ready, wake};
use super::{Effects, Transition};
use crate::journal::head::{Head, Place};
use crate::words::time::{Timestamp, millis_rounded_up};

/// Wakes a sleeping instance whose time has come. The reply says whether it was woken.
///
/// `alive`: the session of [`Head::session`] lives.
pub fn wake_due(head: &Head, alive: bool, now: Timestamp) -> Transition<bool> {
    if head.due().is_none_or(|due| due > now) {
        return Transition::refuse(false);
    }
    let mut next = head.clone();
    let hint = wake(&mut next, alive, now);
    Transition { head: Some(next), reply: true, effects: Effects::hint(hint) }
}

/// Gives an instance whose session does not come for it to anyone. The reply says whether it was moved.
pub fn unstick(head: &Head, older_than: Duration, now: Timestamp) -> Transition<bool> {
    let Place::Inbox { since, .. } = head.place else { return Transition::refuse(false) };
    if now.since(since) < millis_rounded_up(older_than) {
        return Transition::refuse(false);
    }
    let mut next = head.clone();
    next.raise(now);
    next.updated_at = now;
    let hint = to_ready(&mut next, now);
    Transition { head: Some(next), reply: true, effects: Effects::hint(hint) }
}

/// Whether everything of an instance can be deleted: head, journals of all runs, mailbox, event ids.
///
/// `unsent`: how many of its outgoing commands are not acknowledged. They would be lost with it, so it waits for them.
#[must_use]
pub fn expired(head: &Head, unsent: usize, now: Timestamp) -> bool {
    unsent == 0 && matches!(head.place, Place::Done { expires_at, .. } if expires_at <= now)
}
