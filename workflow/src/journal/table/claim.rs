//! [`Command::Claim`](crate::journal::command::Command::Claim), for one candidate at a time.
//!
//! A store goes through the candidates in order until it has given `limit` instances, or has put away (on a shelf, or out of
//! the inbox) [`SHELVED_MAX`](crate::words::limits::SHELVED_MAX). What is ready or on a shelf lies in lists of one queue, one
//! workflow, and begun or not: what the claim's limits allow is the same for all of a list, and [`Allowance`] refuses the
//! rest of a list with its first. So a store need not look at what waits for tokens. It remembers what it gave in the session
//! ([`super::session::Session::claimed`]), so that the repeat of a claim gives the same.

use std::collections::{BTreeMap, BTreeSet};

use super::moves::to_ready;
use super::{Effects, Transition};
use crate::journal::command::{Claim, Claimed, Granted};
use crate::journal::head::{Head, Place, Suspect};
use crate::journal::lease::LimitName;
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::time::Timestamp;

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is held now. The messages are those after [`Effects::messages_after`].
    Given(Box<Claimed>),
    /// The claimer does not know its workflow or version: it is on the shelf.
    Shelved,
    /// There is no token for it: it is out of the inbox, and ready for anyone.
    SetAside,
    /// It is not to be had by this claim; nothing changes.
    Left,
}

/// What a claim may still give within its limits, while it gives.
#[derive(Debug, Clone, Default)]
pub struct Allowance {
    tokens: BTreeMap<LimitName, u32>,
    refused: BTreeSet<(QueueName, WorkflowName, bool)>,
    short: BTreeSet<LimitName>,
    started: BTreeMap<QueueName, u32>,
}

impl Allowance {
    /// Of a claim that has given nothing.
    #[must_use]
    pub fn of(claim: &Claim) -> Self {
        Self { tokens: claim.limits.iter().cloned().collect(), ..Self::default() }
    }

    /// Whether one more may be given of a list; one that was refused once is refused from then on.
    pub fn admits(&mut self, queue: &QueueName, workflow: &WorkflowName, begun: bool) -> bool {
        if self.tokens.is_empty() {
            return true;
        }
        let list = (queue.clone(), workflow.clone(), begun);
        if self.refused.contains(&list) {
            return false;
        }
        let of_workflow = LimitName::Workflow(workflow.clone());
        let of_queue = (!begun).then(|| LimitName::Queue(queue.clone()));
        // All that are out: what needs tokens of two limits needs them at once.
        let out = [Some(of_workflow), of_queue].into_iter().flatten().filter(|name| self.tokens.get(name) == Some(&0));
        let out: Vec<LimitName> = out.collect();
        if out.is_empty() {
            return true;
        }
        self.refused.insert(list);
        self.short.extend(out);
        false
    }

    /// One was given, which had `begun` or had not.
    fn spend(&mut self, queue: &QueueName, workflow: &WorkflowName, begun: bool) {
        if self.tokens.is_empty() {
            return;
        }
        if let Some(tokens) = self.tokens.get_mut(&LimitName::Workflow(workflow.clone())) {
            *tokens = tokens.saturating_sub(1);
        }
        if begun {
            return;
        }
        if let Some(tokens) = self.tokens.get_mut(&LimitName::Queue(queue.clone())) {
            *tokens = tokens.saturating_sub(1);
            *self.started.entry(queue.clone()).or_default() += 1;
        }
    }

    /// The limits that refused something, and how many tokens of each queue were spent: for the reply.
    #[must_use]
    pub fn told(self) -> (Vec<LimitName>, Vec<(QueueName, u32)>) {
        (self.short.into_iter().collect(), self.started.into_iter().collect())
    }
}

/// Gives a ready or shelved instance, or one of the session's inbox, to a session. The session must live.
pub fn take(id: &InstanceId, head: &Head, claim: &Claim, allowed: &mut Allowance, now: Timestamp) -> Transition<Taken> {
    let known = claim.known.iter().any(|(name, version)| *name == head.spec.workflow && *version == head.spec.version);
    let inbox = matches!(head.place, Place::Inbox { session, .. } if session == claim.session);
    let candidate = inbox || matches!(head.place, Place::Ready { .. }) || (head.place == Place::Shelved && known);
    if !candidate {
        return Transition::refuse(Taken::Left);
    }
    let (queue, workflow) = (&head.spec.queue, &head.spec.workflow);
    if !allowed.admits(queue, workflow, head.begun) {
        // In the inbox it would be in the way of what was woken after it.
        return if inbox { set_aside(head, now) } else { Transition::refuse(Taken::Left) };
    }
    if !known {
        return shelve(head, now);
    }
    allowed.spend(queue, workflow, head.begun);
    give(id, head, claim, now)
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

fn set_aside(head: &Head, now: Timestamp) -> Transition<Taken> {
    let mut next = Head { updated_at: now, ..head.clone() };
    next.raise(now);
    let hint = to_ready(&mut next, now);
    Transition { head: Some(next), reply: Taken::SetAside, effects: Effects::hint(hint) }
}

fn give(id: &InstanceId, head: &Head, claim: &Claim, now: Timestamp) -> Transition<Taken> {
    let mut next = Head {
        place: Place::Held { session: claim.session, notice: false },
        begun: true,
        updated_at: now,
        ..head.clone()
    };
    next.raise(now);
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
