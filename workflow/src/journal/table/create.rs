//! [`Command::Create`](crate::journal::command::Command::Create).

use super::claim::claimed;
use super::moves::score;
use super::{Effects, Hint, Transition};
use crate::journal::command::{Create, CreateReply, Wait};
use crate::journal::head::{Head, Place, Suspect};
use crate::journal::message::Message;
use crate::journal::path::Path;
use crate::words::time::Timestamp;

/// What a store looks up for a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The session in [`Create::local`] lives (known and not revoked).
    pub alive: bool,
    /// The ready list of the instance's queue is empty.
    pub ready_empty: bool,
}

/// Makes an instance, or says that it exists.
///
/// A handed-over instance has no messages yet, or on a repeat may have some: the reply takes those after
/// [`Effects::messages_after`].
pub fn create(head: Option<&Head>, create: &Create, facts: Facts, now: Timestamp) -> Transition<CreateReply> {
    match head {
        Some(head) if head.created_by == create.request => again(head, create, facts, now),
        Some(head) => {
            Transition::refuse(CreateReply::Exists { workflow: head.spec.workflow.clone(), state: head.state() })
        }
        None => first(create, facts, now),
    }
}

/// The request is repeated: its reply was lost. What it handed over is handed over again as long as nothing happened.
fn again(head: &Head, create: &Create, facts: Facts, now: Timestamp) -> Transition<CreateReply> {
    let handed_over =
        create.local.is_some_and(|session| facts.alive && head.held_by(session)) && head.v == first_v(head.created_at);
    let mut transition = Transition::refuse(CreateReply::Created { claimed: None });
    if handed_over {
        transition.effects.messages_after = Some(0);
        transition.reply = CreateReply::Created { claimed: Some(Box::new(claimed(&create.id, head, now))) };
    }
    transition
}

fn first(create: &Create, facts: Facts, now: Timestamp) -> Transition<CreateReply> {
    let spec = &create.spec;
    let starts_later = spec.start_at.filter(|at| *at > now);
    let local = create.local.filter(|_| facts.alive && facts.ready_empty && starts_later.is_none());
    let (place, hint) = match (starts_later, local) {
        (Some(due), _) => {
            let wait = Wait { path: Path::root(), channel: None, due: Some(due), shifts: false };
            (Place::Asleep { waits: vec![wait], sticky: None }, Some(Hint::Timer(due)))
        }
        (None, Some(session)) => (Place::Held { session, notice: false }, None),
        (None, None) => (Place::Ready { score: score(spec, false, now) }, Some(Hint::Ready(spec.queue.clone()))),
    };
    // Only a start at its time wakes what starts later: the message waits as well.
    let message = create.message.clone().map(|message| Message { seq: 1, at: now, message });
    let messages = u32::from(message.is_some());
    let head = Head {
        spec: spec.clone(),
        created_by: create.request,
        created_at: now,
        run: 1,
        started_at: now,
        updated_at: now,
        v: first_v(now),
        place,
        pause: false,
        begun: local.is_some(),
        records: 0,
        journal_bytes: 0,
        arrivals: u64::from(messages),
        unread: messages,
        outgoing: 0,
        shift_ms: 0,
        suspect: Suspect::No,
        last_write: None,
        last_controls: Vec::new(),
        fork: None,
        children: Vec::new(),
    };
    let handed_over = local.map(|_| Box::new(claimed(&create.id, &head, now)));
    let effects = Effects {
        messages_after: handed_over.is_some().then_some(0),
        deliver: message,
        hints: hint.into_iter().collect(),
        ..Effects::default()
    };
    Transition { head: Some(head), reply: CreateReply::Created { claimed: handed_over }, effects }
}

/// See [`Head::v`].
fn first_v(created_at: Timestamp) -> u64 {
    u64::try_from(created_at.as_millis()).unwrap_or(0) + 1
}
