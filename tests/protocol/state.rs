//! The state of the model: the store, the workers, late copies of requests, and what an observer has noticed.

use std::collections::{BTreeMap, BTreeSet};

use workflow::journal::command::{Claim, Claimed, Command, Granted, Owner, OwnerWrite};
use workflow::journal::message::Message;
use workflow::store::model::Data;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::time::Timestamp;

use crate::program::{Known, Program};
use crate::rules::records;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) data: Data,
    pub(crate) now: Timestamp,
    pub(crate) workers: Vec<Worker>,
    /// Copies of requests that may still arrive.
    pub(crate) strays: Vec<Command>,
    pub(crate) left: Budgets,
    pub(crate) seen: Seen,
    /// What the store goes back to when it loses what it was told since.
    pub(crate) saved: Option<Box<(Data, Seen)>>,
    /// The store has lost what it had acknowledged.
    pub(crate) lost: bool,
}

/// How much may still go wrong, or happen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budgets {
    /// Lost replies, late and repeated requests.
    pub(crate) faults: u8,
    /// Crashes of workers.
    pub(crate) crashes: u8,
    pub(crate) ticks: u8,
    pub(crate) beats: u8,
    /// Controls by operators.
    pub(crate) controls: u8,
    pub(crate) events: u8,
    /// Requests for tokens of the limit.
    pub(crate) leases: u8,
    /// Times that the store loses what it acknowledged.
    pub(crate) losses: u8,
}

/// What the observer keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Seen {
    /// The first rule that was broken.
    pub(crate) broken: Option<&'static str>,
    /// Controls that were carried out.
    pub(crate) controls: BTreeSet<RequestId>,
    /// Instances whose operator wants them paused.
    pub(crate) paused: BTreeSet<InstanceId>,
    /// A parent was told that its child could not be created.
    pub(crate) not_created: bool,
    /// Commands of outboxes that were carried out and not acknowledged: they will be sent again.
    pub(crate) unacknowledged: BTreeSet<(InstanceId, u64)>,
    /// The state versions that the store gave and lost: above the first, up to the second.
    pub(crate) lost_versions: BTreeMap<InstanceId, (u64, u64)>,
}

/// A worker process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// It runs. A worker that does not is dead; one that takes no step for a while is merely slow.
    pub(crate) up: bool,
    pub(crate) session: SessionId,
    /// Claims that gave something so far.
    pub(crate) claims: u64,
    /// A claim that was not answered yet.
    pub(crate) claim: Option<Claim>,
    pub(crate) drivers: BTreeMap<InstanceId, Driver>,
    /// Runs that wait, still in memory: their run, state version, and records.
    pub(crate) sticky: BTreeMap<InstanceId, (u32, u64, Vec<String>)>,
    pub(crate) hand: Hand,
    /// It knows that the store lost writes.
    pub(crate) knows_of_loss: bool,
}

/// What a worker has of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Hand {
    /// The number of its newest request.
    pub(crate) number: u64,
    /// The tokens that it knows to be its own.
    pub(crate) share: u32,
    /// The newest request was not answered.
    pub(crate) unsure: bool,
}

/// What a worker knows of an instance it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Driver {
    pub(crate) program: Program,
    pub(crate) owner: Owner,
    /// The state version at which it was claimed.
    pub(crate) claimed_v: u64,
    pub(crate) records: Vec<String>,
    /// What is to be taken over from the run that this one comes from.
    pub(crate) kept: Option<Vec<String>>,
    pub(crate) unread: Vec<Message>,
    pub(crate) seen: u64,
    pub(crate) now: Timestamp,
    pub(crate) pause: bool,
    pub(crate) shift_ms: i64,
    pub(crate) body_ended: bool,
    /// It was told that something happened.
    pub(crate) noticed: bool,
    /// A write that was not answered yet.
    pub(crate) write: Option<OwnerWrite>,
}

impl Worker {
    pub(crate) fn new(session: SessionId) -> Self {
        Self {
            up: true,
            session,
            claims: 0,
            claim: None,
            drivers: BTreeMap::new(),
            sticky: BTreeMap::new(),
            hand: Hand::default(),
            knows_of_loss: false,
        }
    }

    /// Tokens in use, or reserved for a claim that was not answered.
    pub(crate) fn bound(&self) -> u32 {
        let reserved = self.claim.iter().flat_map(|claim| &claim.limits).map(|(_, tokens)| *tokens).sum::<u32>();
        u32::try_from(self.drivers.len()).expect("there are few") + reserved
    }

    /// Tokens that nothing is done with.
    pub(crate) fn idle(&self) -> u32 {
        self.hand.share.saturating_sub(self.bound())
    }
}

impl Driver {
    /// What a claim gives, with what is in memory still, or else the journal as it is read then.
    ///
    /// # Errors
    /// When what the run comes from is not kept, or not what it was asked to come from.
    pub(crate) fn new(
        session: SessionId,
        claimed: Claimed,
        data: &Data,
        memory: Option<Vec<String>>,
    ) -> Result<Self, &'static str> {
        let instance = data.instances.get(&claimed.id);
        let read = |run: u32| instance.map(|instance| records(instance, run)).unwrap_or_default();
        let kept = match claimed.fork.as_ref().filter(|fork| fork.open) {
            Some(fork) => {
                let kept: usize = fork.path.as_str().parse().map_err(|_| "a fork comes from what is no operation")?;
                let source = read(fork.source);
                Some(
                    source
                        .get(..kept)
                        .filter(|_| kept < source.len())
                        .ok_or("the source of a fork has not its operation")?
                        .to_vec(),
                )
            }
            None => None,
        };
        let owner = Owner { id: claimed.id, session, run: claimed.run, v: claimed.v };
        Ok(Self {
            program: Program::of(&claimed.spec),
            records: memory.unwrap_or_else(|| read(claimed.run)),
            kept,
            claimed_v: owner.v,
            owner,
            unread: claimed.granted.messages,
            seen: claimed.arrivals,
            now: claimed.granted.now,
            pause: claimed.granted.pause,
            shift_ms: claimed.shift_ms,
            body_ended: false,
            noticed: false,
            write: None,
        })
    }

    /// The request it repeats, or the next one; `None` when it has nothing to write.
    pub(crate) fn request(&self, later: bool) -> Option<OwnerWrite> {
        if let Some(write) = &self.write {
            return Some(write.clone());
        }
        let known = Known {
            id: &self.owner.id,
            run: self.owner.run,
            records: &self.records,
            unread: &self.unread,
            seen: self.seen,
            now: self.now,
            pause: self.pause,
            shift_ms: self.shift_ms,
            body_ended: self.body_ended,
            later,
            kept: self.kept.as_deref(),
        };
        let write = if self.noticed && self.kept.is_none() { known.look() } else { known.next(self.program)? };
        // An owner writes one thing at a time: session and version name it, whatever else happened before.
        let request = RequestId(self.owner.session.0 << 64 | u128::from(self.owner.v));
        Some(OwnerWrite { request, owner: self.owner.clone(), write })
    }

    /// Its write was carried out.
    pub(crate) fn wrote(&mut self, request: &OwnerWrite, granted: Granted) {
        self.records.extend(written(request));
        self.kept = None;
        self.unread.retain(|message| !request.write.consumed.contains(&message.seq));
        self.shift_ms -= request.write.shifted_ms;
        self.owner.v = granted.v;
        self.now = granted.now;
        self.pause = granted.pause;
        self.seen = granted.messages.last().map_or(self.seen, |message| message.seq);
        self.unread.extend(granted.messages);
        self.noticed = false;
        self.write = None;
    }
}

/// The records of a write.
pub(crate) fn written(request: &OwnerWrite) -> impl Iterator<Item = String> {
    request.write.records.iter().filter_map(crate::program::unstamp).map(|(_, what)| what)
}
