//! What workers do: claims, owners' writes, tokens of the limit, and what they make of the answers.

use std::sync::Arc;

use workflow::journal::command::{Claim, ClaimReply, Command, OwnReply, Owner, OwnerWrite, Reply, Then, Write};
use workflow::journal::lease::{Lease, LeaseReply, LimitName};
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId};

use crate::guards::Guard;
use crate::model::{Fate, LEASE, Protocol};
use crate::program::Program;
use crate::state::{Driver, State, Worker, written};

/// Marks the requests that hand an instance back.
const HANDS_BACK: u128 = 1 << 63;

impl Protocol {
    pub(crate) fn claim(&self, state: &mut State, worker: usize, fate: Fate) {
        let it = &state.workers[worker];
        let claim = it.claim.clone().unwrap_or_else(|| Claim {
            number: it.claims + 1,
            session: it.session,
            limit: 8,
            queues: Arc::new([QueueName::new("q").expect("valid")]),
            known: Program::ALL.map(|program| (program.name(), 1)).into(),
            quotas: Vec::new(),
            limits: self.limit.map(|_| (self.limited(), it.idle())).into_iter().collect(),
        });
        let command = Command::Claim(claim.clone());
        match self.send(state, &command, fate) {
            Some(_) if self.notices_loss(state, worker) => {}
            Some(Reply::Claim(reply)) => self.claimed(state, worker, &claim, reply),
            _ => state.workers[worker].claim = Some(claim),
        }
    }

    fn claimed(&self, state: &mut State, worker: usize, claim: &Claim, reply: ClaimReply) {
        let ClaimReply::Given { instances, notices, .. } = reply else { return stop(state, worker) };
        let it = &mut state.workers[worker];
        it.claim = None;
        // Raising it with every answer would be the same in endlessly many states.
        it.claims += u64::from(!instances.is_empty() || !notices.is_empty() || claim.carries_tokens());
        for claimed in instances {
            let sticky = it.sticky.remove(&claimed.id);
            let known = it.drivers.get(&claimed.id);
            if known.is_some_and(|known| (known.owner.run, known.claimed_v) == (claimed.run, claimed.v)) {
                continue;
            }
            let memory = sticky.filter(|(run, v, records)| {
                (*run, records.len()) == (claimed.run, usize::try_from(claimed.records).expect("few")) && *v < claimed.v
            });
            match Driver::new(it.session, claimed, &state.data, memory.map(|(.., records)| records)) {
                Ok(driver) => drop(it.drivers.insert(driver.owner.id.clone(), driver)),
                Err(broken) => state.seen.broken = state.seen.broken.or(Some(broken)),
            }
        }
        for id in notices {
            if let Some(driver) = it.drivers.get_mut(&id) {
                driver.noticed = true;
            }
        }
    }

    pub(crate) fn write(&self, state: &mut State, worker: usize, id: &InstanceId, fate: Fate) {
        let Some(driver) = state.workers[worker].drivers.get(id) else { return };
        let Some(request) = driver.request(state.lost) else { return };
        let command = Command::Own(request.clone());
        match self.send(state, &command, fate) {
            Some(_) if self.notices_loss(state, worker) => {}
            Some(Reply::Own(reply)) => self.wrote(state, worker, &request, reply),
            _ => {
                if let Some(driver) = state.workers[worker].drivers.get_mut(id) {
                    driver.write = Some(request);
                }
            }
        }
    }

    fn wrote(&self, state: &mut State, worker: usize, request: &OwnerWrite, reply: OwnReply) {
        let id = &request.owner.id;
        let it = &mut state.workers[worker];
        match (reply, &request.write.then) {
            (OwnReply::Ok(granted), Then::Hold | Then::Forked) | (OwnReply::Continue(granted), _) => {
                if let Some(driver) = it.drivers.get_mut(id) {
                    driver.wrote(request, granted);
                }
            }
            (OwnReply::Ok(granted), then) => {
                let driver = it.drivers.remove(id);
                if let (Then::Suspend { paused: false, .. }, Some(driver)) = (then, driver) {
                    let records = driver.records.into_iter().chain(written(request)).collect();
                    it.sticky.insert(id.clone(), (request.owner.run, granted.v, records));
                }
            }
            (OwnReply::Stale | OwnReply::Gone, _) => drop(it.drivers.remove(id)),
            (OwnReply::Fenced, _) => stop(state, worker),
            (OwnReply::Behind, _) if state.lost => self.hand_back(state, worker, &request.owner),
            (OwnReply::Behind, _) => {
                state.seen.broken = state.seen.broken.or(Some("a loss was reported that was none"))
            }
            (OwnReply::Full, _) => state.seen.broken = state.seen.broken.or(Some("a journal is full that is not")),
        }
    }

    /// The store is older than this owner: whoever is next goes on from what it has.
    fn hand_back(&self, state: &mut State, worker: usize, owner: &Owner) {
        state.workers[worker].drivers.remove(&owner.id);
        let Some(head) = state.data.instances.get(&owner.id).map(|instance| &instance.head) else { return };
        if !head.held_by(owner.session) {
            return;
        }
        let request = RequestId(owner.session.0 << 64 | HANDS_BACK | u128::from(head.v));
        let owner = Owner { run: head.run, v: head.v, ..owner.clone() };
        let write = Write {
            records: Vec::new(),
            consumed: Vec::new(),
            seen: 0,
            outgoing: Vec::new(),
            shifted_ms: 0,
            then: Then::Release,
        };
        self.apply(state, &Command::Own(OwnerWrite { request, owner, write }));
    }

    /// A worker that hears from a store that has lost writes forgets all it knows of it, and begins anew. True when it did.
    fn notices_loss(&self, state: &mut State, worker: usize) -> bool {
        let it = &state.workers[worker];
        if !state.lost || it.knows_of_loss || !it.up || self.off.contains(&Guard::LossNoticed) {
            return false;
        }
        let session = it.session;
        self.apply(state, &Command::CloseSession { session });
        self.reboot(state, worker);
        true
    }

    /// Asks for one more token of the limit.
    pub(crate) fn ask(&self, state: &mut State, worker: usize, fate: Fate) {
        let hand = state.workers[worker].hand;
        self.lease(state, worker, hand.share, hand.share + 1, fate);
    }

    /// Gives back what is idle: from here on no claim finds it.
    pub(crate) fn give_back(&self, state: &mut State, worker: usize, fate: Fate) {
        let bound = state.workers[worker].bound();
        let hand = &mut state.workers[worker].hand;
        hand.share = hand.share.min(bound);
        self.lease(state, worker, bound, bound, fate);
    }

    fn lease(&self, state: &mut State, worker: usize, held: u32, want: u32, fate: Fate) {
        let it = &mut state.workers[worker];
        it.hand.number += 1;
        it.hand.unsure = true;
        let limit = self.limit.unwrap_or(0);
        let lease = Lease {
            session: it.session,
            name: self.limited(),
            number: it.hand.number,
            limit,
            per: None,
            spent: 0,
            held,
            want: want.min(limit.max(held)),
        };
        match self.send(state, &Command::Lease(lease), fate) {
            Some(_) if self.notices_loss(state, worker) => {}
            Some(Reply::Lease(LeaseReply::Granted { tokens, .. })) => {
                let hand = &mut state.workers[worker].hand;
                (hand.share, hand.unsure) = (tokens, false);
            }
            Some(Reply::Lease(LeaseReply::Fenced)) => stop(state, worker),
            _ => {}
        }
    }

    /// The workflow that is limited.
    pub(crate) fn limited(&self) -> LimitName {
        LimitName::Workflow(self.program.name())
    }

    /// The process starts anew with a session of its own. When everything settles, and after a loss: until then the other
    /// worker is the new one.
    pub(crate) fn reboot(&self, state: &mut State, worker: usize) {
        let session = SessionId(state.workers[worker].session.0 + u128::from(self.workers));
        state.workers[worker] = Worker { knows_of_loss: state.lost, ..Worker::new(session) };
        self.apply(state, &Command::OpenSession { session, lease: LEASE });
    }

    /// A request and what becomes of it. `None` when no reply comes.
    pub(crate) fn send(&self, state: &mut State, command: &Command, fate: Fate) -> Option<Reply> {
        match fate {
            Fate::Answered => Some(self.apply(state, command)),
            Fate::ReplyLost => {
                state.left.faults -= 1;
                self.apply(state, command);
                None
            }
            Fate::Delayed => {
                state.left.faults -= 1;
                state.strays.push(command.clone());
                None
            }
        }
    }
}

/// A worker is gone: it crashed, or it found out that it is fenced.
pub(crate) fn stop(state: &mut State, worker: usize) {
    let it = &state.workers[worker];
    state.workers[worker] = Worker { up: false, knows_of_loss: it.knows_of_loss, ..Worker::new(it.session) };
}
