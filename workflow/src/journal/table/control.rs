//! [`Command::Control`](crate::journal::command::Command::Control): pause, resume, terminate, restart, restart from an
//! operation, delete.

use super::ending::{close_children, end, expiry};
use super::moves::{score, take_waits, to_paused, to_ready};
use super::own::close_fork;
use super::{Archive, Effects, Hint, KEPT_WHILE_OPEN, Transition};
use crate::journal::command::{Action, Control, ControlReply, PauseReason};
use crate::journal::head::{End, Fork, Head, Place, Suspect};
use crate::journal::path::Path;
use crate::words::id::InstanceId;
use crate::words::limits::{CHILD_KEPT_MIN_MS, CONTROLS_REMEMBERED};
use crate::words::time::Timestamp;

/// Does what an operator or a closing parent wants, or says why not.
pub fn control(head: Option<&Head>, control: &Control, now: Timestamp) -> Transition<ControlReply> {
    let Some(head) = head else { return Transition::refuse(ControlReply::Unknown) };
    if let Some((_, first)) = head.last_controls.iter().find(|(request, _)| *request == control.request) {
        return Transition::refuse(first.clone());
    }
    if control.run.is_some_and(|run| run != head.run) {
        return Transition::refuse(ControlReply::Unknown);
    }
    let mut next = head.clone();
    let mut effects = Effects::default();
    let done = act(&mut next, &control.id, &control.action, now, &mut effects);
    if !done {
        return Transition::refuse(ControlReply::Refused(head.state()));
    }
    // What is to be deleted stays as it is until then, its time included: that is when it ended.
    if control.action != Action::Delete {
        next.updated_at = now;
    }
    let reply = ControlReply::Done(next.state());
    remember(&mut next, control, &reply);
    Transition { head: Some(next), reply, effects }
}

/// The state is part of what is remembered: a repeat is answered as the first, whatever happened since.
fn remember(next: &mut Head, control: &Control, reply: &ControlReply) {
    if next.last_controls.len() >= CONTROLS_REMEMBERED {
        next.last_controls.remove(0);
    }
    next.last_controls.push((control.request, reply.clone()));
}

/// False when it makes no sense in this state.
fn act(next: &mut Head, id: &InstanceId, action: &Action, now: Timestamp, effects: &mut Effects) -> bool {
    match action {
        Action::Pause => pause(next, id, now, effects),
        Action::Resume => resume(next, id, now, effects),
        Action::Terminate { reason } => terminate(next, id, reason, now, effects),
        Action::Restart => {
            restart(next, id, None, now, effects);
            true
        }
        Action::RestartFrom { path, source } => {
            let Some(fork) = fork(next, path).filter(|fork| fork.source == *source) else { return false };
            restart(next, id, Some(fork), now, effects);
            true
        }
        Action::Delete => delete(next, now),
    }
}

fn pause(next: &mut Head, id: &InstanceId, now: Timestamp, effects: &mut Effects) -> bool {
    match &mut next.place {
        Place::Done { .. } => return false,
        Place::Paused { .. } => {}
        Place::Held { session, notice } => {
            *notice = true;
            next.pause = true;
            effects.hints.push(Hint::Inbox(*session));
        }
        Place::Ready { .. } | Place::Shelved | Place::Asleep { .. } | Place::Inbox { .. } => {
            next.raise(now);
            effects.hints.push(to_paused(next, id, PauseReason::Operator, now));
        }
    }
    true
}

fn resume(next: &mut Head, id: &InstanceId, now: Timestamp, effects: &mut Effects) -> bool {
    match &mut next.place {
        Place::Held { session, notice } if next.pause => {
            // The owner may be about to suspend as paused: without the flag that is answered `Continue`.
            *notice = true;
            next.pause = false;
            effects.hints.push(Hint::Inbox(*session));
        }
        Place::Paused { .. } => {
            next.raise(now);
            effects.hints.push(leave_pause(next, now));
            effects.hints.push(Hint::Changed(id.clone()));
        }
        _ => return false,
    }
    true
}

fn leave_pause(next: &mut Head, now: Timestamp) -> Hint {
    if let Place::Paused { reason, since, .. } = &next.place {
        if matches!(reason, PauseReason::Quarantined { .. }) {
            // Whoever resumes it has seen the crashes. It is tried alone all the same.
            next.suspect = Suspect::Yes { crashes: 0 };
        }
        if next.begun {
            next.shift_ms = next.shift_ms.saturating_add(now.since(*since).max(0));
        }
    }
    let waits = take_waits(next);
    let starts_at = waits.iter().filter_map(|wait| wait.due).min().filter(|_| !next.begun);
    match starts_at {
        // A start time is a date, not a duration: no pause moves it.
        Some(due) if due > now => {
            next.place = Place::Asleep { waits, sticky: None };
            Hint::Timer(due)
        }
        _ => to_ready(next, now),
    }
}

fn terminate(next: &mut Head, id: &InstanceId, reason: &str, now: Timestamp, effects: &mut Effects) -> bool {
    if matches!(next.place, Place::Done { .. }) {
        return false;
    }
    next.raise(now);
    take_from_owner(next, effects);
    end(next, id, End::Terminated { reason: reason.to_owned() }, now, effects);
    true
}

/// Where a run that is restarted from an operation comes from. `None` when there is nothing to come from.
fn fork(head: &Head, path: &Path) -> Option<Fork> {
    let path = path.clone();
    match &head.fork {
        // Nobody has begun with it: the newer wish counts.
        Some(fork) if fork.open => Some(Fork { path, ..fork.clone() }),
        _ if head.records == 0 => None,
        fork => {
            let streams = fork.as_ref().map_or(head.run, |fork| fork.streams);
            Some(Fork { source: head.run, streams, path, open: true })
        }
    }
}

fn restart(next: &mut Head, id: &InstanceId, fork: Option<Fork>, now: Timestamp, effects: &mut Effects) {
    take_from_owner(next, effects);
    let is_source = fork.as_ref().is_some_and(|fork| fork.source == next.run);
    let expires_at = match &next.place {
        _ if is_source => KEPT_WHILE_OPEN,
        Place::Done { expires_at, .. } => *expires_at,
        _ => expiry(next, &End::Terminated { reason: String::new() }, now),
    };
    effects.archives.push(Archive { run: next.run, expires_at });
    if fork.is_none() {
        close_fork(next, now, effects);
    }
    close_children(next, id, effects);
    if fork.is_none() {
        effects.clear_mailbox = true;
        next.arrivals = 0;
        next.unread = 0;
        // What a fork keeps was begun when its source was: its code has seen that time.
        next.started_at = now;
    }
    next.raise(now);
    next.run += 1;
    next.fork = fork;
    next.pause = false;
    next.begun = false;
    next.records = 0;
    next.journal_bytes = 0;
    next.shift_ms = 0;
    next.suspect = Suspect::No;
    next.place = Place::Ready { score: score(&next.spec, false, now) };
    effects.hints.push(Hint::Ready(next.spec.queue.clone()));
    effects.hints.push(Hint::Changed(id.clone()));
}

fn delete(next: &mut Head, now: Timestamp) -> bool {
    let soonest = if next.spec.parent.is_some() { now.shifted(CHILD_KEPT_MIN_MS) } else { now };
    let Place::Done { expires_at, .. } = &mut next.place else { return false };
    *expires_at = soonest.min(*expires_at);
    true
}

/// Its owner may run a long body: it is told, and whatever it still writes is stale.
fn take_from_owner(head: &Head, effects: &mut Effects) {
    if let Place::Held { session, .. } = head.place {
        effects.lost_by = Some(session);
        effects.hints.push(Hint::Inbox(session));
    }
}
