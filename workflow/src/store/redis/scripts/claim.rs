//! The twin of `claim.lua`, and of `candidates.lua`, which finds what it could give.

use std::sync::Arc;

use super::{Call, Found, Misread, Said, Skipped};
use crate::journal::command::{Claim, ClaimReply, Claimed, Granted};
use crate::journal::head::Suspect;
use crate::journal::lease::LimitName;
use crate::journal::message::Message;
use crate::store::redis::keys::{Keys, Of};
use crate::store::redis::link::Request;
use crate::store::redis::stored::{Numbers, read_birth, read_fork, read_message, read_spec};
use crate::words::id::{InstanceId, QueueName};
use crate::words::limits::SHELVED_MAX;
use crate::words::time::Timestamp;

/// What a claim could give.
#[derive(Debug)]
pub(in super::super) struct Candidates {
    mode: u8,
    give: Vec<Found>,
    shelve: Vec<Found>,
    set_aside: Vec<Found>,
    noticed: Vec<InstanceId>,
    lost: bool,
    next_due: Option<Timestamp>,
    now: Timestamp,
    short: Vec<LimitName>,
}

/// The keys and arguments of `candidates.lua`.
pub(in super::super) fn look(keys: &Keys, claim: &Claim) -> Request {
    let of = [Of::Ready, Of::Inbox, Of::Notes, Of::Lost, Of::Shelf, Of::Sessions, Of::Claims, Of::Timers];
    let (queues, limits) = (claim.queues.len() as u64, claim.limits.len() as u64);
    let numbers = [claim.number, claim.limit as u64, SHELVED_MAX as u64, queues, limits];
    let mut arguments = vec![claim.session.0.to_be_bytes().to_vec()];
    arguments.extend(numbers.map(|number| number.to_string().into_bytes()));
    for (index, queue) in claim.queues.iter().enumerate() {
        arguments.push(queue.as_str().as_bytes().to_vec());
        arguments.push(claim.quotas.get(index).map_or_else(Vec::new, |quota| quota.to_string().into_bytes()));
    }
    for (name, tokens) in &claim.limits {
        arguments.push(name.key().into_bytes());
        arguments.push(tokens.to_string().into_bytes());
    }
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
        set_aside: said.list(3)?.found_from(0)?,
        noticed: said.ids(4)?,
        lost: said.int(5)? != 0,
        next_due: said.timer(6)?,
        now: Timestamp::from_millis(said.int(7)?),
        short: read_short(&said.list(8)?)?,
    }))
}

/// The limits that refused something, in the order of their names.
fn read_short(said: &Said) -> Result<Vec<LimitName>, Misread> {
    let name = |index| LimitName::of_key(said.text(index)?).map_err(|error| Misread(error.to_string()));
    let mut short = (0..said.len()).map(name).collect::<Result<Vec<_>, _>>()?;
    short.sort();
    Ok(short)
}

impl Candidates {
    /// The answer to a claim that has tokens or none, when there is nothing to write.
    pub(in super::super) fn nothing(&self, has_tokens: bool, now: Option<Timestamp>) -> Option<ClaimReply> {
        let still = self.give.is_empty() && self.shelve.is_empty() && self.set_aside.is_empty();
        let fresh = still && !has_tokens && self.noticed.is_empty() && !self.lost;
        (self.mode == b'L' || (self.mode == b'F' && fresh)).then(|| ClaimReply::Given {
            now: now.unwrap_or(self.now),
            instances: Vec::new(),
            notices: Vec::new(),
            next_due: self.next_due,
            short: self.short.clone(),
            started: Vec::new(),
            raced: false,
        })
    }

    /// The limits that refused something.
    pub(in super::super) fn short(self) -> Vec<LimitName> {
        self.short
    }

    /// The claim of these as a call.
    pub(in super::super) fn call(&self, keys: &Keys, claim: &Claim) -> Call {
        let mut needed = Vec::new();
        for found in &self.give {
            needed.extend([keys.instance(&found.id), keys.mailbox(&found.id)]);
        }
        let (shelve, set_aside) = (self.shelve.iter(), self.set_aside.iter());
        let put_away = shelve.clone().chain(set_aside.clone());
        needed.extend(put_away.clone().map(|found| &found.id).chain(&self.noticed).map(|id| keys.instance(id)));
        Call::new(b'A', needed, |to| {
            to.session(claim.session).six(claim.number).byte(self.mode).ids(self.give.iter().map(|found| &found.id));
            to.ids(shelve.map(|found| &found.id)).ids(set_aside.map(|found| &found.id)).ids(self.noticed.iter());
            to.three(claim.limits.len());
            for (name, tokens) in &claim.limits {
                to.short(&name.key()).four(*tokens);
            }
            to.entries(self.give.iter().chain(put_away).map(|found| found.entry.as_slice()));
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
    /// How many tokens were spent of each limited queue.
    pub(in super::super) started: Vec<(QueueName, u32)>,
    /// Others had taken some of what was found.
    pub(in super::super) raced: bool,
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
    let started = read_started(&said.list(4)?)?;
    let raced = said.int(5)? != 0;
    let mut given = Given { instances: Vec::new(), notices, next_due, started, raced, skipped, unreadable: Vec::new() };
    for one in said.lists_from(6) {
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

fn read_started(said: &Said) -> Result<Vec<(QueueName, u32)>, Misread> {
    let one = |at| -> Result<_, Misread> {
        let queue = QueueName::new(said.text(at)?).map_err(|error| Misread(error.to_string()))?;
        Ok((queue, u32::try_from(said.int(at + 1)?).map_err(|_| Misread("a count of tokens".to_owned()))?))
    };
    let mut started = (0..said.len()).step_by(2).map(one).collect::<Result<Vec<_>, _>>()?;
    // As Lua's tables have no order.
    started.sort();
    Ok(started)
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
