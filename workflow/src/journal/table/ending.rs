//! What the end of a run sets off, whoever ended it: the parent is told, children are closed, the mailbox goes.

use super::{Effects, Hint};
use crate::journal::command::{Outgoing, ParentClose};
use crate::journal::head::{End, Head, Place, Suspect};
use crate::journal::message::{Channel, ChildEnd, NewMessage};
use crate::words::id::InstanceId;
use crate::words::limits::CHILD_KEPT_MIN_MS;
use crate::words::time::Timestamp;

/// Ends the run of `head`.
pub(super) fn end(head: &mut Head, id: &InstanceId, end: End, now: Timestamp, effects: &mut Effects) {
    if let Some(parent) = head.spec.parent.clone() {
        let message = NewMessage {
            channel: Channel::child(id),
            event_id: format!("{id}:{}", head.run).into(),
            payload: as_child_end(&end).encode(),
        };
        queue(head, Outgoing::Deliver { to: parent.id, run: parent.run, message }, effects);
    }
    close_children(head, id, effects);
    let expires_at = expiry(head, &end, now);
    head.place = Place::Done { end, at: now, expires_at };
    head.pause = false;
    head.suspect = Suspect::No;
    head.unread = 0;
    effects.clear_mailbox = true;
    effects.hints.push(Hint::Changed(id.clone()));
}

/// Terminates what the run of `head` started and did not abandon.
pub(super) fn close_children(head: &mut Head, id: &InstanceId, effects: &mut Effects) {
    for child in std::mem::take(&mut head.children) {
        let reason = format!("its parent {id} closed");
        queue(head, Outgoing::Close { child, reason }, effects);
    }
}

/// Puts a command for another instance into the outbox.
pub(super) fn queue(head: &mut Head, outgoing: Outgoing, effects: &mut Effects) {
    if let Outgoing::CreateChild { id, spec } = &outgoing
        && spec.parent.as_ref().is_some_and(|parent| parent.on_close == ParentClose::Terminate)
    {
        head.children.push(id.clone());
    }
    if effects.outgoing.is_empty() {
        effects.hints.push(Hint::Outbox);
    }
    head.outgoing += 1;
    effects.outgoing.push((head.outgoing, outgoing));
}

/// When a run that ends like this is deleted.
pub(super) fn expiry(head: &Head, end: &End, now: Timestamp) -> Timestamp {
    let complete = matches!(end, End::Returned(ending) if ending.result.is_ok());
    let keep = if complete { head.spec.keep_complete } else { head.spec.keep_failed };
    let expires_at = now.after(keep);
    match head.spec.parent {
        Some(_) => expires_at.max(now.shifted(CHILD_KEPT_MIN_MS)),
        None => expires_at,
    }
}

fn as_child_end(end: &End) -> ChildEnd {
    match end {
        End::Returned(ending) => match &ending.result {
            Ok(output) => ChildEnd::Complete(output.clone()),
            Err(failure) => ChildEnd::Errored(failure.clone()),
        },
        End::Terminated { reason } => ChildEnd::Terminated { reason: reason.clone() },
    }
}
