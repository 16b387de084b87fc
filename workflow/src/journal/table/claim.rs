//! [`Command::Claim`](crate::journal::command::Command::Claim), for one candidate at a time.
//!
//! A store goes through the candidates in order until it has given `limit` instances, or has shelved
//! [`SHELVED_MAX`](crate::words::limits::SHELVED_MAX). It remembers what it gave in the session
//! ([`super::session::Session::claimed`]), so that the repeat of a claim gives the same.

use super::{Effects, Transition};
use crate::journal::command::{Claim, Claimed, Granted};
use crate::journal::head::{Head, Place, Suspect};
use crate::words::id::InstanceId;
use crate::words::time::Timestamp;

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is held now. The messages are those after [`Effects::messages_after`].
    Given(Box<Claimed>),
    /// The claimer does not know its workflow or version: it is on the shelf.
    Shelved,
    /// It is not to be had by this claim; nothing changes.
    Left,
}

/// Gives a ready or shelved instance, or one of the session's inbox, to a session. The session must live.
pub fn take(id: &InstanceId, head: &Head, claim: &Claim, now: Timestamp) -> Transition<Taken> {
    let known = claim.known.iter().any(|(name, version)| *name == head.spec.workflow && *version == head.spec.version);
    match &head.place {
        Place::Ready { .. } if !known => shelve(head, now),
        Place::Inbox { session, .. } if !known && *session == claim.session => shelve(head, now),
        Place::Ready { .. } | Place::Shelved if known => give(id, head, claim, now),
        Place::Inbox { session, .. } if *session == claim.session => give(id, head, claim, now),
        _ => Transition::refuse(Taken::Left),
    }
}

/// What an earlier claim gave is given again, because its reply was lost: if the session still holds it as it was given,
/// at state version `v`.
pub fn again(id: &InstanceId, head: Option<&Head>, claim: &Claim, v: u64, now: Timestamp) -> Transition<Taken> {
    match head {
        Some(head) if head.held_by(claim.session) && head.v == v => Transition {
            head: None,
            reply: Taken::Given(Box::new(claimed(id, head, now))),
            effects: Effects { messages_after: Some(0), ..Effects::default() },
        },
        _ => Transition::refuse(Taken::Left),
    }
}

/// The session's notice of an instance it holds has been given. `None` when there was none.
#[must_use]
pub fn noticed(head: &Head) -> Option<Head> {
    match head.place {
        Place::Held { session, notice: true } => {
            Some(Head { place: Place::Held { session, notice: false }, ..head.clone() })
        }
        _ => None,
    }
}

fn shelve(head: &Head, now: Timestamp) -> Transition<Taken> {
    let next = Head { place: Place::Shelved, updated_at: now, ..head.clone() };
    Transition { head: Some(next), reply: Taken::Shelved, effects: Effects::default() }
}

fn give(id: &InstanceId, head: &Head, claim: &Claim, now: Timestamp) -> Transition<Taken> {
    let next = Head {
        place: Place::Held { session: claim.session, notice: false },
        begun: true,
        v: head.v + 1,
        updated_at: now,
        ..head.clone()
    };
    Transition {
        reply: Taken::Given(Box::new(claimed(id, &next, now))),
        head: Some(next),
        effects: Effects { messages_after: Some(0), ..Effects::default() },
    }
}

/// What a claimer learns of an instance it now holds; the messages are still to be put in.
pub(super) fn claimed(id: &InstanceId, head: &Head, now: Timestamp) -> Claimed {
    Claimed {
        id: id.clone(),
        run: head.run,
        v: head.v,
        records: head.records,
        spec: head.spec.clone(),
        created_at: head.created_at,
        started_at: head.started_at,
        fork: head.fork.clone(),
        suspect: head.suspect != Suspect::No,
        shift_ms: head.shift_ms,
        arrivals: head.arrivals,
        granted: Granted { v: head.v, now, pause: head.pause, messages: Vec::new() },
    }
}
