//! How the model store carries out a claim: candidates in the table's order, until there is enough.

use std::collections::BTreeSet;

use super::Data;
use crate::journal::command::{Claim, ClaimReply, Claimed};
use crate::journal::head::{Head, Place};
use crate::journal::table::Transition;
use crate::journal::table::claim::{Taken, again, noticed, take};
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
        let (instances, notices) = match session.earlier(claim.number) {
            Earlier::Late => (Vec::new(), Vec::new()),
            Earlier::Repeated(memory) => {
                let memory = memory.clone();
                self.give_again(claim, memory, now, hints)
            }
            Earlier::Nothing => {
                let mut notices: BTreeSet<InstanceId> = session.lost.iter().cloned().collect();
                let instances = self.give(claim, now, hints);
                notices.extend(self.take_notices(claim.session));
                (instances, notices.into_iter().collect())
            }
        };
        if let Some(session) = self.sessions.get_mut(&claim.session) {
            session.claimed(claim.number, &instances, &notices);
        }
        ClaimReply::Given { now, instances, notices, next_due: self.next_due() }
    }

    fn give(&mut self, claim: &Claim, now: Timestamp, hints: &mut Vec<Hint>) -> Vec<Claimed> {
        let mut given = Vec::new();
        let mut shelved = 0;
        for id in self.candidates(claim) {
            if given.len() >= claim.limit || shelved >= SHELVED_MAX {
                break;
            }
            let Some(head) = self.head(&id) else { continue };
            let transition = take(&id, head, claim, now);
            shelved += usize::from(transition.reply == Taken::Shelved);
            given.extend(self.hand(&id, transition, now, hints));
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

    /// The own inbox, then shelves, then ready: see the order in [`crate::journal::table`].
    fn candidates(&self, claim: &Claim) -> Vec<InstanceId> {
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
        let ready = |head: &Head| match head.place {
            Place::Ready { score } if claim.queues.contains(&head.spec.queue) => Some(score),
            _ => None,
        };
        let mut ids = self.by(usize::MAX, mine);
        ids.extend(self.by(usize::MAX, shelved));
        ids.extend(self.by(usize::MAX, ready));
        ids
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
