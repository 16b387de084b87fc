//! Sessions of workers: their lease, what they claimed last, and what becomes of their instances.
//!
//! A session lives until it is revoked, not merely until its lease is over: revoking is what takes the right to write
//! away, and it comes before anything of it is given to others.

use std::time::Duration;

use super::moves::{to_paused, to_ready, unmark};
use super::{Effects, Transition};
use crate::journal::command::{Claim, Claimed, PauseReason};
use crate::journal::head::{Head, Place, Suspect};
use crate::words::id::{InstanceId, SessionId};
use crate::words::limits::CRASHES_MAX;
use crate::words::time::Timestamp;

/// What a store knows of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// How often its heart beat.
    pub beats: u64,
    /// When its lease runs out, by the store's clock.
    pub expires_at: Timestamp,
    /// Nothing it writes is accepted any more.
    pub revoked: bool,
    /// Its newest claim that gave something, for a repeat.
    pub claim: Option<ClaimMemory>,
    /// Instances it held when they were terminated or restarted: its next claim gives notice of them.
    pub lost: Vec<InstanceId>,
}

/// What a claim gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimMemory {
    /// The claim.
    pub number: u64,
    /// The instances, each with its state version then.
    pub given: Vec<(InstanceId, u64)>,
    /// The notices.
    pub notices: Vec<InstanceId>,
}

impl Session {
    /// [`Command::OpenSession`](crate::journal::command::Command::OpenSession). `None` when it is revoked: it stays so.
    #[must_use]
    pub fn open(session: Option<&Self>, lease: Duration, now: Timestamp) -> Option<Self> {
        let expires_at = now.after(lease);
        match session {
            None => Some(Self { beats: 0, expires_at, revoked: false, claim: None, lost: Vec::new() }),
            Some(session) if session.revoked => None,
            Some(session) => Some(Self { expires_at, ..session.clone() }),
        }
    }

    /// A heart beat; `None` when it is revoked. A session that is unknown is fenced by the store.
    #[must_use]
    pub fn beat(&self, lease: Duration, now: Timestamp) -> Option<Self> {
        (!self.revoked).then(|| Self { beats: self.beats + 1, expires_at: now.after(lease), ..self.clone() })
    }

    /// [`Command::Fence`](crate::journal::command::Command::Fence): the session, revoked. `None` when it stays as it is;
    /// the answer is then [`Self::revoked`], and true for an unknown session.
    ///
    /// Two clocks must agree: the store's, that the lease is over, and the caller's, that the counter stood still for a
    /// lease. A jump of one of them fences nobody. The caller may have seen more beats than are known here: where a
    /// store has several partitions, a session may die when its beat has reached some of them, and the caller goes by
    /// the highest count.
    #[must_use]
    pub fn fence(&self, beats: u64, now: Timestamp) -> Option<Self> {
        let over = self.expires_at <= now && self.beats <= beats;
        (over && !self.revoked).then(|| Self { revoked: true, ..self.clone() })
    }

    /// Whether its writes and claims are accepted.
    #[must_use]
    pub const fn alive(&self) -> bool {
        !self.revoked
    }

    /// It held `id`, and does no longer: see [`Effects::lost_by`].
    pub fn lose(&mut self, id: &InstanceId) {
        if !self.lost.contains(id) {
            self.lost.push(id.clone());
        }
    }

    /// What was given before, seen from a claim.
    ///
    /// A request may arrive twice, and late. What is given to a copy that nobody waits for is held by a session that
    /// does not know of it, until the session asks again: its next claim has the same number, for the worker was given
    /// nothing.
    #[must_use]
    pub fn earlier(&self, number: u64) -> Earlier<'_> {
        match &self.claim {
            Some(memory) if memory.number > number => Earlier::Late,
            Some(memory) if memory.number == number => Earlier::Repeated(memory),
            _ => Earlier::Nothing,
        }
    }

    /// A claim gave `instances` and `notices`. One that gave nothing and had no tokens is not remembered, and neither is a
    /// late or repeated one: they change nothing. True when it is.
    pub fn claimed(&mut self, claim: &Claim, instances: &[Claimed], notices: &[InstanceId]) -> bool {
        let number = claim.number;
        let newer = self.claim.as_ref().is_none_or(|memory| memory.number < number);
        let remembered = newer && (claim.carries_tokens() || !(instances.is_empty() && notices.is_empty()));
        if remembered {
            let given = instances.iter().map(|claimed| (claimed.id.clone(), claimed.v)).collect();
            self.claim = Some(ClaimMemory { number, given, notices: notices.to_vec() });
            self.lost.clear();
        }
        remembered
    }
}

/// What a session was given before a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier<'a> {
    /// Something by a newer claim: this one is a late copy, and gives nothing, not even notices.
    Late,
    /// This by a claim of the same number: it is given again, and nothing else; nothing changes. For each instance that
    /// cannot be given again there is a notice.
    Repeated(&'a ClaimMemory),
    /// Nothing the worker does not know.
    Nothing,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It was revoked: what it held may be what crashed it.
    Crashed,
    /// It was closed in good order.
    Closed,
}

/// Takes an instance from a session that has ended. The reply says whether it was moved.
pub fn hand_over(id: &InstanceId, head: &Head, session: SessionId, loss: Loss, now: Timestamp) -> Transition<bool> {
    match head.place {
        Place::Held { session: holder, .. } if holder == session => {}
        Place::Inbox { session: owner, .. } if owner == session => {}
        _ => return Transition::refuse(false),
    }
    let mut next = head.clone();
    next.raise(now);
    next.updated_at = now;
    let held = next.held_by(session);
    let reason = if held { judge(&mut next, loss) } else { None };
    let hint = match reason {
        Some(reason) => to_paused(&mut next, id, reason, now),
        None => to_ready(&mut next, now),
    };
    Transition { head: Some(next), reply: true, effects: Effects::hint(hint) }
}

/// Counts a crash against the instance if it was the one being tried, and says why it must pause, if it must.
fn judge(next: &mut Head, loss: Loss) -> Option<PauseReason> {
    let asked_for = next.pause.then_some(PauseReason::Operator);
    if loss == Loss::Closed {
        unmark(next);
        return asked_for;
    }
    let crashes = match next.suspect {
        Suspect::No => 0,
        Suspect::Yes { crashes } => crashes,
        Suspect::Marked { crashes } => crashes + 1,
    };
    next.suspect = Suspect::Yes { crashes };
    if crashes >= CRASHES_MAX { Some(PauseReason::Quarantined { crashes }) } else { asked_for }
}
