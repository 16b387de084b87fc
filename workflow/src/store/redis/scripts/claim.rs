//! The twin of `claim.lua`, and of `candidates.lua`, which finds what it could give.

use std::sync::Arc;

use super::{Call, Misread, Said};
use crate::journal::command::{Claim, ClaimReply, Claimed, Granted};
use crate::journal::head::Suspect;
use crate::journal::message::Message;
use crate::store::redis::keys::{Keys, Of};
use crate::store::redis::link::Request;
use crate::store::redis::stored::{Numbers, read_birth, read_message, read_spec};
use crate::words::id::InstanceId;
use crate::words::limits::SHELVED_MAX;
use crate::words::time::Timestamp;

/// What a claim could give.
#[derive(Debug)]
pub(in super::super) struct Candidates {
    mode: u8,
    give: Vec<InstanceId>,
    shelve: Vec<InstanceId>,
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
        give: said.ids(1)?,
        shelve: said.ids(2)?,
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
        for id in &self.give {
            needed.extend([keys.instance(id), keys.mailbox(id)]);
        }
        needed.extend(self.shelve.iter().chain(&self.noticed).map(|id| keys.instance(id)));
        Call::new(b'A', needed, |to| {
            to.session(claim.session).six(claim.number).byte(self.mode);
            to.ids(self.give.iter()).ids(self.shelve.iter()).ids(self.noticed.iter());
        })
    }
}

/// The answer to a claim; `None` when what was found is out of date.
pub(in super::super) fn read(said: Said, now: Timestamp) -> Result<Option<ClaimReply>, Misread> {
    match said.word()? {
        "FENCED" => return Ok(Some(ClaimReply::Fenced)),
        "AGAIN" => return Ok(None),
        "GIVEN" => {}
        other => return Err(Misread(format!("a claim was answered {other}"))),
    }
    let mut notices = said.ids(1)?;
    notices.sort();
    notices.dedup();
    let next_due = said.timer(2)?;
    let instances = said.lists_from(3).map(|one| read_claimed(&one?, now)).collect::<Result<_, _>>()?;
    Ok(Some(ClaimReply::Given { now, instances, notices, next_due }))
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
        suspect: numbers.suspect()? != Suspect::No,
        shift_ms: numbers.shift_ms,
        arrivals: numbers.arrivals,
        granted: Granted { v: numbers.v, now, pause: numbers.pause(), messages: read_messages(said, 7)? },
    })
}

/// Messages at the end of an answer: positions and what was stored, by turns.
pub(super) fn read_messages(said: &Said, from: usize) -> Result<Vec<Message>, Misread> {
    (from..said.len()).step_by(2).map(|at| Ok(read_message(said.natural(at)?, said.bytes(at + 1)?)?)).collect()
}
