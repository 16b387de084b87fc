//! The scripts, each `.lua` file with its typed twin in Rust.
//!
//! `transitions` is one script for every command that changes something: `base.lua`, `short.lua`, `prelude.lua`, a file
//! for each kind of command, `main.lua`, put together by [`assemble`]. One call carries out any mix of commands in
//! order, each a transition of [`crate::journal::table`], and so a batch costs one round trip. A command that must find
//! its instances first (claims, sweeps, the end of a session) is asked in two calls: a script that only looks and finds
//! ids, then the transition, which gets their keys and decides again; so every key of every script is declared.
//!
//! Owns the letters of commands. Never sends anything. Called by the store.

use std::sync::Arc;

use redis::{Cmd, Value};

use super::keys::{Keys, Reach};
use super::pack::{Packer, Unpacker};
use super::script::Script;
use super::stored::STATES;
use crate::journal::lease::LimitName;
use crate::journal::wire::Damaged;
use crate::store::Hint;
use crate::words::id::{InstanceId, QueueName, SessionId};
use crate::words::time::Timestamp;

mod assemble;
pub(super) mod claim;
pub(super) mod control;
pub(super) mod create;
pub(super) mod limit;
pub(super) mod look;
pub(super) mod own;
pub(super) mod send;
pub(super) mod session;
pub(super) mod sweep;

#[cfg(test)]
mod tests;

/// Every script of the store.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub(super) transitions: Arc<Script>,
    pub(super) candidates: Arc<Script>,
    pub(super) due: Arc<Script>,
    pub(super) stuck: Arc<Script>,
    pub(super) expired: Arc<Script>,
    pub(super) tied: Arc<Script>,
    pub(super) hearts: Arc<Script>,
    pub(super) overview: Arc<Script>,
    pub(super) sets: Arc<Script>,
}

impl Scripts {
    /// For a namespace that keeps an index of ids, or does not.
    pub(super) fn new(keeps_ids: bool) -> Self {
        let look = |name, text: &str| Arc::new(Script::new(name, [include_str!("look.lua"), text].concat()));
        Self {
            transitions: Arc::new(Script::writing("transitions", assemble::transitions(keeps_ids))),
            candidates: look("candidates", include_str!("candidates.lua")),
            due: look("due", include_str!("due.lua")),
            stuck: look("stuck", include_str!("stuck.lua")),
            expired: look("expired", include_str!("expired.lua")),
            tied: look("tied", include_str!("tied.lua")),
            hearts: look("hearts", include_str!("hearts.lua")),
            overview: look("overview", include_str!("overview.lua")),
            sets: look("sets", include_str!("sets.lua")),
        }
    }
}

/// One packed command, and the keys it needs.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) packed: Vec<u8>,
    pub(super) keys: Vec<Vec<u8>>,
}

impl Call {
    /// A command of the kind that the letter names.
    pub(super) fn new(letter: u8, keys: Vec<Vec<u8>>, body: impl FnOnce(&mut Packer)) -> Self {
        let mut to = Packer::new();
        to.byte(letter).three(keys.len());
        body(&mut to);
        Self { packed: to.into_bytes(), keys }
    }

    /// Whether it goes the short way: its letter is small.
    fn is_short(&self) -> bool {
        self.packed.first().is_some_and(u8::is_ascii_lowercase)
    }

    /// How large it is, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.packed.len()
    }
}

/// Who calls `transitions`.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    /// The time for tests, or nothing.
    pub(super) now: &'a [u8],
    /// Its name among those that publish hints.
    pub(super) tag: &'a [u8],
    /// How far its hints reach.
    pub(super) reach: Reach,
    /// Whether it hears the hints of the partition itself.
    pub(super) listens: bool,
}

/// One call of the script of transitions.
pub(super) fn transitions(script: &Script, keys: &Keys, sender: &Sender<'_>, calls: &[Call]) -> Cmd {
    let of_partition = if calls.iter().all(Call::is_short) { keys.short() } else { keys.all() };
    // So many hear it of whom the sender need not think; on all nodes there are always more, as no server counts them.
    let uncounted: &[u8] = match (sender.reach, sender.listens) {
        (Reach::Server, true) => b"1",
        (Reach::Server, false) => b"0",
        (Reach::Shard, true) => b"s1",
        (Reach::Shard, false) => b"s0",
        (Reach::Nodes, _) => b"-1",
    };
    let (channel, count) = (keys.channel(), of_partition.len().to_string());
    let first: [&[u8]; 5] = [sender.now, &channel, sender.tag, uncounted, count.as_bytes()];
    let of_calls = calls.iter().flat_map(|call| &call.keys);
    let keys: Vec<&[u8]> = of_partition.iter().chain(of_calls).map(Vec::as_slice).collect();
    let arguments: Vec<&[u8]> = first.into_iter().chain(calls.iter().map(|call| call.packed.as_slice())).collect();
    script.call(&keys, &arguments)
}

/// An instance that a look found, and the entry of an index that led to it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: InstanceId,
    /// The letter of the index, and the member. Only scripts look into it.
    pub(super) entry: Vec<u8>,
}

/// An instance that a command for many passed over, because it is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) id: InstanceId,
    pub(super) damage: String,
}

/// An answer cannot be read, or a command met damage.
#[derive(Debug)]
pub(super) struct Misread(pub(super) String);

impl From<Damaged> for Misread {
    fn from(damaged: Damaged) -> Self {
        Self(damaged.to_string())
    }
}

/// The answer to one command: a word, and what goes with it.
#[derive(Debug)]
pub(super) struct Said(Vec<Value>);

impl Said {
    pub(super) fn read(value: Value) -> Result<Self, Misread> {
        match value {
            Value::Array(values) => Ok(Self(values)),
            other => Err(Misread(format!("an answer is no list but {}", kind_of(&other)))),
        }
    }

    /// The word it begins with.
    pub(super) fn word(&self) -> Result<&str, Misread> {
        let word = self.text(0)?;
        if word == "DAMAGED" { Err(Misread(self.text(1)?.to_owned())) } else { Ok(word) }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&self, index: usize) -> Result<&Value, Misread> {
        self.0.get(index).ok_or_else(|| Misread(format!("an answer has no element {index}")))
    }

    pub(super) fn bytes(&self, index: usize) -> Result<&[u8], Misread> {
        match self.at(index)? {
            Value::BulkString(bytes) => Ok(bytes),
            other => Err(Misread(format!("element {index} of an answer is no text but {}", kind_of(other)))),
        }
    }

    pub(super) fn text(&self, index: usize) -> Result<&str, Misread> {
        std::str::from_utf8(self.bytes(index)?).map_err(|_| Misread(format!("element {index} is no UTF-8")))
    }

    pub(super) fn int(&self, index: usize) -> Result<i64, Misread> {
        match self.at(index)? {
            Value::Int(number) => Ok(*number),
            other => Err(Misread(format!("element {index} of an answer is no number but {}", kind_of(other)))),
        }
    }

    pub(super) fn natural(&self, index: usize) -> Result<u64, Misread> {
        u64::try_from(self.int(index)?).map_err(|_| Misread(format!("element {index} is below zero")))
    }

    pub(super) fn list(&self, index: usize) -> Result<Self, Misread> {
        Self::read(self.at(index)?.clone())
    }

    /// Everything from an element on, each an answer of its own.
    pub(super) fn lists_from(self, index: usize) -> impl Iterator<Item = Result<Self, Misread>> {
        self.0.into_iter().skip(index).map(Self::read)
    }

    /// A list of instance ids.
    pub(super) fn ids(&self, index: usize) -> Result<Vec<InstanceId>, Misread> {
        let list = self.list(index)?;
        (0..list.len()).map(|index| list.id(index)).collect()
    }

    pub(super) fn id(&self, index: usize) -> Result<InstanceId, Misread> {
        InstanceId::new(self.text(index)?).map_err(|error| Misread(error.to_string()))
    }

    /// Ids and entries of indexes, by turns, from an element on.
    pub(super) fn found_from(&self, from: usize) -> Result<Vec<Found>, Misread> {
        let one = |at| Ok(Found { id: self.id(at)?, entry: self.bytes(at + 1)?.to_vec() });
        (from..self.len()).step_by(2).map(one).collect()
    }

    /// A list of instances that were skipped: ids and what is wrong, by turns.
    pub(super) fn skipped(&self, index: usize) -> Result<Vec<Skipped>, Misread> {
        let list = self.list(index)?;
        let one =
            |at| Ok(Skipped { id: list.id(at)?, damage: String::from_utf8_lossy(list.bytes(at + 1)?).into_owned() });
        (0..list.len()).step_by(2).map(one).collect()
    }

    /// A timer's time, or `None` for the empty text.
    pub(super) fn timer(&self, index: usize) -> Result<Option<Timestamp>, Misread> {
        match self.text(index)? {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                #[expect(clippy::cast_possible_truncation, reason = "scores are whole and have 47 bits")]
                Ok(score) => Ok(Some(Timestamp::from_millis(score as i64))),
                Err(_) => Err(Misread("a timer is no number".to_owned())),
            },
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        Value::ServerError(_) => "an error",
        _ => "something else",
    }
}

/// What a call of `transitions` answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) now: Timestamp,
    pub(super) hints: Vec<Hint>,
    /// How many calls there were in the partition, with this one; 0: not known.
    pub(super) calls: u64,
    pub(super) replies: Vec<Way>,
}

/// What was answered to one command, and which way it went.
#[derive(Debug)]
pub(super) enum Way {
    /// It went the short way, and this came of it.
    Short(i64),
    /// It cannot go the short way, and nothing was done.
    NotShort,
    /// It went the long way.
    Long(Said),
}

impl Way {
    fn read(value: Value) -> Result<Self, Misread> {
        Ok(match value {
            Value::Int(number) => Self::Short(number),
            Value::Nil => Self::NotShort,
            other => Self::Long(Said::read(other)?),
        })
    }

    /// The answer to a command that was sent the long way.
    pub(super) fn said(self) -> Result<Said, Misread> {
        match self {
            Self::Long(said) => Ok(said),
            Self::Short(_) | Self::NotShort => Err(Misread("what went the long way was answered shortly".to_owned())),
        }
    }
}

impl Answer {
    pub(super) fn read(value: Value) -> Result<Self, Misread> {
        let mut said = Said::read(value)?;
        let now = Timestamp::from_millis(said.int(0)?);
        let packed = said.list(1)?;
        let hints = (0..packed.len()).map(|index| read_hint(packed.bytes(index)?)).collect::<Result<_, _>>()?;
        let calls = said.natural(2)?;
        let replies = said.0.drain(3..).map(Way::read).collect::<Result<_, _>>()?;
        Ok(Self { now, hints, calls, replies })
    }
}

/// A hint as scripts write it.
fn read_hint(bytes: &[u8]) -> Result<Hint, Misread> {
    let unknown = || Misread("a hint of an unknown kind".to_owned());
    let (kind, rest) = bytes.split_first().ok_or_else(unknown)?;
    let text = || std::str::from_utf8(rest).map_err(|_| unknown());
    Ok(match kind {
        b'r' => Hint::Ready(QueueName::new(text()?).map_err(|_| unknown())?),
        b'i' => Hint::Inbox(SessionId(Unpacker::new(rest).wide()?)),
        b'c' => Hint::Changed(InstanceId::new(text()?).map_err(|_| unknown())?),
        b't' => Hint::Timer(Timestamp::from_millis(i64::from_be_bytes(rest.try_into().map_err(|_| unknown())?))),
        b'l' => Hint::Limit(LimitName::of_key(text()?).map_err(|_| unknown())?),
        b'o' => Hint::Outbox,
        _ => return Err(unknown()),
    })
}

/// The hints of another process, from a message of the partition's channel. `None` when `tag` sent it.
pub(super) fn read_published(message: &[u8], tag: &[u8]) -> Option<Vec<Hint>> {
    let packed = match message.strip_prefix(tag) {
        Some(_) => return None,
        None => message.get(tag.len()..)?,
    };
    let mut from = Unpacker::new(packed);
    let mut hints = Vec::new();
    while !from.is_at_end() {
        // What cannot be read is of a newer version, and hints are only hints.
        let Ok(packed) = from.medium() else { break };
        hints.extend(read_hint(packed).ok());
    }
    Some(hints)
}
