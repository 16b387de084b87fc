//! How the model store carries out a claim: candidates in the table's order, until there is enough.

use std::collections::BTreeSet;

use super::Data;
use crate::journal::command::{Claim, ClaimReply, Claimed};
use crate::journal::head::{Head, Place};
use crate::journal::table::Transition;
use crate::journal::table::claim::{Allowance, Taken, again, noticed, take};
use crate::journal::table::session::{ClaimMemory, Earlier};
use crate::store::Hint;
use crate::words::id::{InstanceId, QueueName, SessionId};
use crate::words::limits::SHELVED_MAX;
use crate::words::time::Timestamp;

impl Data {
    pub(super) fn claim(&mut self, claim: &Claim, now: Timestamp, hints: &mut Vec<Hint>) -> ClaimReply {
        let Some(session) = self.sessions.get(&claim.session).filter(|session| session.alive()) else {
            return ClaimReply::Fenced;
        };
        let mut allowed = Allowance::of(claim);
        let (instances, notices) = match session.earlier(claim.number) {
            Earlier::Late => (Vec::new(), Vec::new()),
            Earlier::Repeated(memory) => {
                let memory = memory.clone();
                self.give_again(claim, memory, now, hints)
            }
            Earlier::Nothing => {
                let mut notices: BTreeSet<InstanceId> = session.lost.iter().cloned().collect();
                let instances = self.give(claim, &mut allowed, now, hints);
                notices.extend(self.take_notices(claim.session));
                (instances, notices.into_iter().collect())
            }
        };
        if let Some(session) = self.sessions.get_mut(&claim.session) {
            session.claimed(claim, &instances, &notices);
        }
        let (short, started) = allowed.told();
        ClaimReply::Given { now, instances, notices, next_due: self.next_due(), short, started, raced: false }
    }

    fn give(&mut self, claim: &Claim, allowed: &mut Allowance, now: Timestamp, hints: &mut Vec<Hint>) -> Vec<Claimed> {
        let mut given = Vec::new();
        let mut put_away = 0;
        for (ids, most) in self.candidates(claim) {
            let most = given.len().saturating_add(most);
            for id in ids {
                if given.len() >= claim.limit.min(most) || put_away >= SHELVED_MAX {
                    break;
                }
                let Some(head) = self.head(&id) else { continue };
                let transition = take(&id, head, claim, allowed, now);
                put_away += usize::from(matches!(transition.reply, Taken::Shelved | Taken::SetAside));
                given.extend(self.hand(&id, transition, now, hints));
            }
        }
        given
    }

    fn give_again(
        &mut self,
        claim: &Claim,
        memory: ClaimMemory,
        now: Timestamp,
        hints: &mut Vec<Hint>,
    ) -> (Vec<Claimed>, Vec<InstanceId>) {
        let mut instances = Vec::new();
        let mut notices: BTreeSet<InstanceId> = memory.notices.into_iter().collect();
        for (id, v) in memory.given {
            let transition = again(&id, self.head(&id), claim, v, now);
            match self.hand(&id, transition, now, hints) {
                Some(claimed) => instances.push(claimed),
                None => drop(notices.insert(id)),
            }
        }
        (instances, notices.into_iter().collect())
    }

    fn hand(
        &mut self,
        id: &InstanceId,
        transition: Transition<Taken>,
        now: Timestamp,
        hints: &mut Vec<Hint>,
    ) -> Option<Claimed> {
        let (taken, messages) = self.carry_out(id, transition, now, hints);
        let Taken::Given(mut claimed) = taken else { return None };
        claimed.granted.messages = messages;
        Some(*claimed)
    }

    /// The own inbox, then shelves, then ready, each queue's first; with how many of each are wanted at most: see the order
    /// in [`crate::journal::table`].
    fn candidates(&self, claim: &Claim) -> Vec<(Vec<InstanceId>, usize)> {
        let mine = |head: &Head| match head.place {
            Place::Inbox { session, since, .. } if session == claim.session => Some(since),
            _ => None,
        };
        let known = |head: &Head| {
            claim.known.iter().any(|(name, version)| *name == head.spec.workflow && *version == head.spec.version)
        };
        let shelved = |head: &Head| {
            (head.place == Place::Shelved && claim.queues.contains(&head.spec.queue) && known(head)).then_some(())
        };
        let ready_of = |queues: &[QueueName], head: &Head| match head.place {
            Place::Ready { score } if queues.contains(&head.spec.queue) => Some(score),
            _ => None,
        };
        let all = usize::MAX;
        let mut candidates = vec![(self.by(all, mine), all), (self.by(all, shelved), all)];
        for (queue, quota) in claim.queues.iter().zip(&claim.quotas) {
            candidates.push((self.by(all, |head| ready_of(std::slice::from_ref(queue), head)), *quota));
        }
        candidates.push((self.by(all, |head| ready_of(&claim.queues, head)), all));
        candidates
    }

    fn take_notices(&mut self, session: SessionId) -> Vec<InstanceId> {
        let mut ids = Vec::new();
        for (id, instance) in &mut self.instances {
            if !instance.head.held_by(session) {
                continue;
            }
            if let Some(head) = noticed(&instance.head) {
                instance.head = head;
                ids.push(id.clone());
            }
        }
        ids
    }

    /// Whether nothing waits in the ready list of `queue`.
    pub(super) fn ready_empty(&self, queue: &QueueName) -> bool {
        !self
            .instances
            .values()
            .any(|instance| matches!(instance.head.place, Place::Ready { .. }) && instance.head.spec.queue == *queue)
    }
}
