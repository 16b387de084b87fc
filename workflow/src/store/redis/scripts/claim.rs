//! The twin of `claim.lua`, and of `candidates.lua`, which finds what it could give.

use std::sync::Arc;

use super::{Call, Found, Misread, Said, Skipped};
use crate::journal::command::{Claim, ClaimReply, Claimed, Granted};
use crate::journal::head::Suspect;
use crate::journal::message::Message;
use crate::store::redis::keys::{Keys, Of};
use crate::store::redis::link::Request;
use crate::store::redis::stored::{Numbers, read_birth, read_fork, read_message, read_spec};
use crate::words::id::InstanceId;
use crate::words::limits::SHELVED_MAX;
use crate::words::time::Timestamp;

/// What a claim could give.
#[derive(Debug)]
pub(in super::super) struct Candidates {
    mode: u8,
    give: Vec<Found>,
    shelve: Vec<Found>,
    noticed: Vec<InstanceId>,
    lost: bool,
    next_due: Option<Timestamp>,
    now: Timestamp,
}

/// The keys and arguments of `candidates.lua`.
pub(in super::super) fn look(keys: &Keys, claim: &Claim) -> Request {
    let of = [Of::Ready, Of::Inbox, Of::Notes, Of::Lost, Of::Shelf, Of::Sessions, Of::Claims, Of::Timers];
    let numbers = [claim.number, claim.limit as u64, SHELVED_MAX as u64, claim.queues.len() as u64];
    let mut arguments = vec![claim.session.0.to_be_bytes().to_vec()];
    arguments.extend(numbers.map(|number| number.to_string().into_bytes()));
    arguments.extend(claim.queues.iter().map(|queue| queue.as_str().as_bytes().to_vec()));
    for (workflow, version) in claim.known.iter() {
        arguments.push(workflow.as_str().as_bytes().to_vec());
        arguments.push(version.to_string().into_bytes());
    }
    (of.map(|which| keys.of(which)).to_vec(), arguments)
}

/// What `candidates.lua` found; `None` for a session that does not live.
pub(in super::super) fn read_candidates(said: &Said) -> Result<Option<Candidates>, Misread> {
    let mode = match said.word()? {
        "FENCED" => return Ok(None),
        "L" => b'L',
        "R" => b'R',
        "F" => b'F',
        other => return Err(Misread(format!("a look for work was answered {other}"))),
    };
    Ok(Some(Candidates {
        mode,
        give: said.list(1)?.found_from(0)?,
        shelve: said.list(2)?.found_from(0)?,
        noticed: said.ids(3)?,
        lost: said.int(4)? != 0,
        next_due: said.timer(5)?,
        now: Timestamp::from_millis(said.int(6)?),
    }))
}

impl Candidates {
    /// The answer, when there is nothing to write.
    pub(in super::super) fn nothing(&self, now: Option<Timestamp>) -> Option<ClaimReply> {
        let fresh = self.give.is_empty() && self.shelve.is_empty() && self.noticed.is_empty() && !self.lost;
        (self.mode == b'L' || (self.mode == b'F' && fresh)).then(|| ClaimReply::Given {
            now: now.unwrap_or(self.now),
            instances: Vec::new(),
            notices: Vec::new(),
            next_due: self.next_due,
        })
    }

    /// The claim of these as a call.
    pub(in super::super) fn call(&self, keys: &Keys, claim: &Claim) -> Call {
        let mut needed = Vec::new();
        for found in &self.give {
            needed.extend([keys.instance(&found.id), keys.mailbox(&found.id)]);
        }
        let shelve = self.shelve.iter().map(|found| &found.id);
        needed.extend(shelve.clone().chain(&self.noticed).map(|id| keys.instance(id)));
        Call::new(b'A', needed, |to| {
            to.session(claim.session).six(claim.number).byte(self.mode);
            to.ids(self.give.iter().map(|found| &found.id)).ids(shelve).ids(self.noticed.iter());
            to.entries(self.give.iter().chain(&self.shelve).map(|found| found.entry.as_slice()));
        })
    }
}

/// What a claim was answered.
#[derive(Debug)]
pub(in super::super) enum Answered {
    /// The session is revoked.
    Fenced,
    /// What was found is out of date.
    Again,
    /// What it gave.
    Given(Given),
}

/// What a claim gave.
#[derive(Debug)]
pub(in super::super) struct Given {
    pub(in super::super) instances: Vec<Claimed>,
    pub(in super::super) notices: Vec<InstanceId>,
    pub(in super::super) next_due: Option<Timestamp>,
    /// What the script could not read, and passed over.
    pub(in super::super) skipped: Vec<Skipped>,
    /// What the script gave and is not understood here. The session holds it.
    pub(in super::super) unreadable: Vec<Unreadable>,
}

/// An instance that was given and cannot be read.
#[derive(Debug)]
pub(in super::super) struct Unreadable {
    pub(in super::super) id: InstanceId,
    /// Its run and state version, unless they are what cannot be read.
    pub(in super::super) held: Option<(u32, u64)>,
    pub(in super::super) damage: String,
}

/// The answer to a claim.
pub(in super::super) fn read(said: Said, now: Timestamp) -> Result<Answered, Misread> {
    match said.word()? {
        "FENCED" => return Ok(Answered::Fenced),
        "AGAIN" => return Ok(Answered::Again),
        "GIVEN" => {}
        other => return Err(Misread(format!("a claim was answered {other}"))),
    }
    let (notices, next_due, skipped) = (said.ids(1)?, said.timer(2)?, said.skipped(3)?);
    let mut given = Given { instances: Vec::new(), notices, next_due, skipped, unreadable: Vec::new() };
    for one in said.lists_from(4) {
        let one = one?;
        match read_claimed(&one, now) {
            Ok(claimed) => given.instances.push(claimed),
            // It must not take with it what else was given.
            Err(Misread(damage)) => {
                let held = Numbers::read(one.bytes(2)?, &[]).ok().map(|numbers| (numbers.run, numbers.v));
                given.unreadable.push(Unreadable { id: one.id(1)?, held, damage });
            }
        }
    }
    // It is looked at in vain; but a claim that gave nothing would be asked for again, and be answered the same.
    given.notices.extend(given.unreadable.iter().map(|one| one.id.clone()));
    given.notices.sort();
    given.notices.dedup();
    Ok(Answered::Given(given))
}

/// What `claimed` in the prelude says of an instance.
pub(super) fn read_claimed(said: &Said, now: Timestamp) -> Result<Claimed, Misread> {
    let numbers = Numbers::read(said.bytes(2)?, said.bytes(3)?)?;
    let (_, seed, created_at) = read_birth(said.bytes(4)?)?;
    Ok(Claimed {
        id: said.id(1)?,
        run: numbers.run,
        v: numbers.v,
        records: numbers.records,
        spec: Arc::new(read_spec(said.bytes(5)?, seed, said.bytes(6)?)?),
        created_at,
        started_at: numbers.started_at,
        fork: Some(said.bytes(7)?).filter(|fork| !fork.is_empty()).map(read_fork).transpose()?,
        suspect: numbers.suspect()? != Suspect::No,
        shift_ms: numbers.shift_ms,
        arrivals: numbers.arrivals,
        granted: Granted { v: numbers.v, now, pause: numbers.pause(), messages: read_messages(said, 8)? },
    })
}

/// Messages at the end of an answer: positions and what was stored, by turns.
pub(super) fn read_messages(said: &Said, from: usize) -> Result<Vec<Message>, Misread> {
    (from..said.len()).step_by(2).map(|at| Ok(read_message(said.natural(at)?, said.bytes(at + 1)?)?)).collect()
}
