//! [`Command::Own`](crate::journal::command::Command::Own): the writes of the worker that holds an instance.

use super::ending::{end, expiry, queue};
use super::moves::{pause_with, to_paused, to_ready, unmark};
use super::{Archive, Effects, Hint, Transition};
use crate::journal::command::{Granted, OwnReply, OwnerWrite, PauseReason, Then, Wait, Write};
use crate::journal::head::{End, Head, Place, Suspect};
use crate::words::id::{InstanceId, SessionId};
use crate::words::limits::{JOURNAL_BYTES_MAX, RECORDS_MAX};
use crate::words::time::Timestamp;

/// Appends, consumes, queues, and moves the instance where its owner wants it; or refuses and changes nothing.
///
/// `alive`: the session of the owner lives (known and not revoked).
pub fn own(head: Option<&Head>, request: &OwnerWrite, alive: bool, now: Timestamp) -> Transition<OwnReply> {
    let Some(head) = head else { return Transition::refuse(OwnReply::Gone) };
    if let Some((known, first)) = &head.last_write
        && *known == request.request
    {
        return again(head, request, first, now);
    }
    match refusal(head, request, alive) {
        Some(reply) => Transition::refuse(reply),
        None => accept(head, request, now),
    }
}

/// Why this owner may not write this. Each line is one guard of the promise that a stale worker never writes.
fn refusal(head: &Head, request: &OwnerWrite, alive: bool) -> Option<OwnReply> {
    let owner = &request.owner;
    // `v` never goes back: an owner that has seen more than the store holds proves that the store lost writes. This
    // comes first because such a store has lost sessions and places too.
    if owner.v > head.v || owner.run > head.run {
        return Some(OwnReply::Behind);
    }
    if !alive {
        return Some(OwnReply::Fenced);
    }
    if owner.run != head.run || !head.held_by(owner.session) || owner.v != head.v {
        return Some(OwnReply::Stale);
    }
    passes_limits(head, &request.write).then_some(OwnReply::Full)
}

/// Without records a write never does, so there is always a way to end or park a full run.
fn passes_limits(head: &Head, write: &Write) -> bool {
    let records = u64::from(head.records) + write.records.len() as u64;
    let bytes = head.journal_bytes + bytes_of(write);
    !write.records.is_empty() && (records > u64::from(RECORDS_MAX) || bytes > JOURNAL_BYTES_MAX)
}

fn bytes_of(write: &Write) -> u64 {
    write.records.iter().map(|record| record.as_bytes().len() as u64).sum()
}

/// The write is repeated: its reply was lost. The first outcome is answered whatever happened since, brought up to date
/// where the owner still holds the instance.
fn again(head: &Head, request: &OwnerWrite, first: &OwnReply, now: Timestamp) -> Transition<OwnReply> {
    let mut transition = Transition::refuse(first.clone());
    if let OwnReply::Ok(granted) | OwnReply::Continue(granted) = &mut transition.reply
        && head.run == request.owner.run
        && head.held_by(request.owner.session)
        && head.v == granted.v
    {
        granted.now = now;
        granted.pause = head.pause;
        transition.effects.messages_after = messages_after(head, request.write.seen);
    }
    transition
}

fn accept(head: &Head, request: &OwnerWrite, now: Timestamp) -> Transition<OwnReply> {
    let (id, write) = (&request.owner.id, &request.write);
    let mut next = head.clone();
    let mut effects = Effects::default();
    record(&mut next, write, &mut effects);
    next.raise(now);
    next.updated_at = now;
    // The answer brings all a notice could stand for.
    next.place = Place::Held { session: request.owner.session, notice: false };
    let goes_on = go_on(&mut next, id, request.owner.session, write, now, &mut effects);
    let granted = Granted { v: next.v, now, pause: next.pause, messages: Vec::new() };
    let reply = if goes_on { OwnReply::Continue(granted) } else { OwnReply::Ok(granted) };
    if next.held_by(request.owner.session) {
        effects.messages_after = messages_after(&next, write.seen);
    }
    next.last_write = Some((request.request, reply.clone()));
    Transition { head: Some(next), reply, effects }
}

fn messages_after(head: &Head, seen: u64) -> Option<u64> {
    (head.unread > 0 && head.arrivals > seen).then_some(seen)
}

/// Takes the records and what they imply.
fn record(next: &mut Head, write: &Write, effects: &mut Effects) {
    let added = u32::try_from(write.records.len()).expect("the limit on records was checked");
    next.records += added;
    next.journal_bytes += bytes_of(write);
    effects.append.clone_from(&write.records);
    let consumed = u32::try_from(write.consumed.len()).unwrap_or(u32::MAX);
    next.unread = next.unread.saturating_sub(consumed);
    effects.consume.clone_from(&write.consumed);
    next.shift_ms -= write.shifted_ms;
    if added > 0 {
        next.suspect = Suspect::No;
    }
    for outgoing in &write.outgoing {
        queue(next, outgoing.clone(), effects);
    }
}

/// Moves it where the owner wants it. True when the owner must go on instead.
fn go_on(
    next: &mut Head,
    id: &InstanceId,
    session: SessionId,
    write: &Write,
    now: Timestamp,
    effects: &mut Effects,
) -> bool {
    match &write.then {
        Then::Hold => {}
        Then::Suspend { waits, paused } => {
            return suspend(next, id, session, Waiting { waits, paused: *paused, seen: write.seen }, now, effects);
        }
        Then::Finish(ending) => end(next, id, End::Returned(ending.clone()), now, effects),
        Then::Park(reason) => {
            next.suspect = Suspect::No;
            effects.hints.push(to_paused(next, id, reason.clone(), now));
        }
        Then::Release => release(next, id, now, effects),
        Then::Clear => next.suspect = Suspect::No,
        Then::Mark => mark(next),
        Then::Forked => close_fork(next, now, effects),
    }
    false
}

struct Waiting<'a> {
    waits: &'a [Wait],
    paused: bool,
    seen: u64,
}

fn suspend(
    next: &mut Head,
    id: &InstanceId,
    session: SessionId,
    waiting: Waiting<'_>,
    now: Timestamp,
    effects: &mut Effects,
) -> bool {
    // A pause needs no look at messages and timers: a resume always lets the owner look at everything.
    if next.pause {
        survived(next);
        effects.hints.push(pause_with(next, id, PauseReason::Operator, waiting.waits.to_vec(), now));
        return false;
    }
    // The pause has been taken back, a message is unseen, a timer is due: nobody would wake it for these.
    let due = waiting.waits.iter().any(|wait| wait.due.is_some_and(|due| due <= now));
    if waiting.paused || next.arrivals > waiting.seen || due {
        return true;
    }
    survived(next);
    next.place = Place::Asleep { waits: waiting.waits.to_vec(), sticky: Some(session) };
    let timer = waiting.waits.iter().filter_map(|wait| wait.due).min();
    effects.hints.extend(timer.map(Hint::Timer));
    effects.hints.push(Hint::Changed(id.clone()));
    false
}

/// The worker that tried a marked suspect alone got through it.
fn survived(next: &mut Head) {
    if matches!(next.suspect, Suspect::Marked { .. }) {
        next.suspect = Suspect::No;
    }
}

fn release(next: &mut Head, id: &InstanceId, now: Timestamp, effects: &mut Effects) {
    unmark(next);
    let hint = if next.pause { to_paused(next, id, PauseReason::Operator, now) } else { to_ready(next, now) };
    effects.hints.push(hint);
}

/// What is kept of the source is in the journal of this run, or nobody will ask for it: the source is an old run as any
/// other.
pub(super) fn close_fork(next: &mut Head, now: Timestamp, effects: &mut Effects) {
    let expires_at = expiry(next, &End::Terminated { reason: String::new() }, now);
    if let Some(fork) = next.fork.as_mut().filter(|fork| fork.open) {
        fork.open = false;
        effects.archives.push(Archive { run: fork.source, expires_at });
    }
}

fn mark(next: &mut Head) {
    let crashes = match next.suspect {
        Suspect::No => 0,
        Suspect::Yes { crashes } | Suspect::Marked { crashes } => crashes,
    };
    next.suspect = Suspect::Marked { crashes };
}
