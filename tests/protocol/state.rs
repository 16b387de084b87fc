//! The state of the model: the store, two workers, late copies of requests, and what an observer has noticed.

use std::collections::{BTreeMap, BTreeSet};

use workflow::journal::command::{Claim, Claimed, Command, Granted, Owner, OwnerWrite};
use workflow::journal::message::Message;
use workflow::store::model::Data;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use crate::program::{Known, Program, unstamp};

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
}

/// What a worker knows of an instance it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Driver {
    pub(crate) program: Program,
    pub(crate) owner: Owner,
    pub(crate) records: Vec<String>,
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
        Self { up: true, session, claims: 0, claim: None, drivers: BTreeMap::new() }
    }
}

impl Driver {
    /// What a claim gives, with the journal as it is read then.
    pub(crate) fn new(session: SessionId, claimed: Claimed, journal: &[Payload]) -> Self {
        let owner = Owner { id: claimed.id, session, run: claimed.run, v: claimed.v };
        Self {
            program: Program::of(&claimed.spec),
            owner,
            records: journal.iter().filter_map(unstamp).map(|(_, _, what)| what).collect(),
            unread: claimed.granted.messages,
            seen: claimed.arrivals,
            now: claimed.granted.now,
            pause: claimed.granted.pause,
            shift_ms: claimed.shift_ms,
            body_ended: false,
            noticed: false,
            write: None,
        }
    }

    /// The request it repeats, or the next one; `None` when it has nothing to write.
    pub(crate) fn request(&self) -> Option<OwnerWrite> {
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
        };
        let write = if self.noticed { known.look() } else { known.next(self.program)? };
        // An owner writes one thing at a time: session and version name it, whatever else happened before.
        let request = RequestId(self.owner.session.0 << 64 | u128::from(self.owner.v));
        Some(OwnerWrite { request, owner: self.owner.clone(), write })
    }

    /// Its write was carried out.
    pub(crate) fn wrote(&mut self, request: &OwnerWrite, granted: Granted) {
        let records = request.write.records.iter().filter_map(unstamp).map(|(_, _, what)| what);
        self.records.extend(records);
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
