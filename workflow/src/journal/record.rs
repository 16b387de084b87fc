//! One entry of the journal, and its bytes. The journal is append-only; this format is read for ever.

use super::message::ChildEnd;
use super::path::Path;
use super::wire::{Damaged, Reader, Writer};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::InstanceId;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// The version every record of this format starts with.
const FORMAT: u8 = 1;

/// One entry of a run's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was written, by the store's clock; never earlier than the record before.
    pub time: Timestamp,
    /// The operation it belongs to.
    pub path: Path,
    /// What happened.
    pub entry: Entry,
}

/// What happened to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It ended. The only entry that is delivered to the workflow.
    Done(Outcome),
    /// An attempt of a step or group failed, and there will be another.
    Attempt {
        /// Which attempt failed, from 1.
        number: u32,
        /// How.
        failure: FailureData,
        /// When the next one is due.
        due: Timestamp,
    },
    /// The next attempt of a group began.
    Resumed {
        /// Which attempt, from 2.
        number: u32,
    },
    /// A timer began: a sleep, the deadline of a wait, the time limit of a group.
    Begun {
        /// When it is due.
        due: Timestamp,
        /// Whether a pause moves it: not so for `sleep_until`.
        shifts: bool,
    },
    /// A child was created.
    Started {
        /// Its id.
        child: InstanceId,
    },
    /// An event came whose payload the wait cannot read. It was taken from the mailbox; the wait goes on.
    SetAside {
        /// Its position in the mailbox.
        message: u64,
        /// Why it cannot be read.
        reason: String,
    },
    /// The code took the new branch of `changed`.
    Changed,
    /// The run was paused; every open timer that shifts is due this much later.
    Shifted {
        /// How long it was paused, in milliseconds.
        by_ms: i64,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A step's or group's value.
    Value(Payload),
    /// A step's or group's last failure.
    Failed(FailureData),
    /// A sleep is over.
    Slept,
    /// An event came.
    Event {
        /// Its position in the mailbox.
        message: u64,
        /// Its payload.
        payload: Payload,
    },
    /// A deadline passed.
    TimedOut,
    /// A child ended.
    Child(ChildEnd),
}

impl Record {
    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Payload {
        let mut to = Writer::new();
        to.byte(FORMAT);
        to.signed(self.time.as_millis());
        to.text(self.path.as_str());
        self.entry.write(&mut to);
        Payload::from_bytes(to.into_bytes())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes);
        if from.byte()? != FORMAT {
            return Err(from.damaged("a record of a format this version knows"));
        }
        let time = Timestamp::from_millis(from.signed()?);
        let path = Path::from_recorded(from.text()?);
        let entry = Entry::read(&mut from)?;
        from.end()?;
        Ok(Self { time, path, entry })
    }
}

impl Entry {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Done(outcome) => outcome.write(to),
            Self::Attempt { number, failure, due } => {
                to.byte(10);
                to.number(u64::from(*number));
                write_failure(to, failure);
                to.signed(due.as_millis());
            }
            Self::Resumed { number } => {
                to.byte(11);
                to.number(u64::from(*number));
            }
            Self::Begun { due, shifts } => {
                to.byte(12);
                to.signed(due.as_millis());
                to.flag(*shifts);
            }
            Self::Started { child } => {
                to.byte(13);
                to.text(child.as_str());
            }
            Self::SetAside { message, reason } => {
                to.byte(14);
                to.number(*message);
                to.text(reason);
            }
            Self::Changed => to.byte(15),
            Self::Shifted { by_ms } => {
                to.byte(16);
                to.signed(*by_ms);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(match from.byte()? {
            10 => Self::Attempt {
                number: from.small()?,
                failure: read_failure(from)?,
                due: Timestamp::from_millis(from.signed()?),
            },
            11 => Self::Resumed { number: from.small()? },
            12 => Self::Begun { due: Timestamp::from_millis(from.signed()?), shifts: from.flag()? },
            13 => Self::Started { child: read_instance(from)? },
            14 => Self::SetAside { message: from.number()?, reason: from.text()?.to_owned() },
            15 => Self::Changed,
            16 => Self::Shifted { by_ms: from.signed()? },
            tag => Self::Done(Outcome::read(tag, from)?),
        })
    }

    /// The word for people.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "end",
            Self::Attempt { .. } => "failed attempt",
            Self::Resumed { .. } => "new attempt",
            Self::Begun { .. } => "timer",
            Self::Started { .. } => "start of a child",
            Self::SetAside { .. } => "event set aside",
            Self::Changed => "change",
            Self::Shifted { .. } => "pause",
        }
    }
}

impl Outcome {
    /// The word for people.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Value(_) | Self::Child(ChildEnd::Complete(_)) => "complete",
            Self::Failed(_) | Self::Child(ChildEnd::Errored(_)) => "failed",
            Self::Slept => "over",
            Self::Event { .. } => "received",
            Self::TimedOut => "timed out",
            Self::Child(ChildEnd::Terminated { .. }) => "terminated",
            Self::Child(ChildEnd::NotCreated { .. }) => "not created",
        }
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Self::Value(payload) => {
                to.byte(1);
                to.bytes(payload.as_bytes());
            }
            Self::Failed(failure) => {
                to.byte(2);
                write_failure(to, failure);
            }
            Self::Slept => to.byte(3),
            Self::Event { message, payload } => {
                to.byte(4);
                to.number(*message);
                to.bytes(payload.as_bytes());
            }
            Self::TimedOut => to.byte(5),
            Self::Child(end) => {
                to.byte(6);
                end.write(to);
            }
        }
    }

    fn read(tag: u8, from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(match tag {
            1 => Self::Value(Payload::from_bytes(from.bytes()?)),
            2 => Self::Failed(read_failure(from)?),
            3 => Self::Slept,
            4 => Self::Event { message: from.number()?, payload: Payload::from_bytes(from.bytes()?) },
            5 => Self::TimedOut,
            6 => Self::Child(ChildEnd::read(from)?),
            _ => return Err(from.damaged("a kind of record this version knows")),
        })
    }
}

pub(super) fn read_instance(from: &mut Reader<'_>) -> Result<InstanceId, Damaged> {
    let text = from.text()?;
    InstanceId::new(text).map_err(|_| from.damaged("an instance id"))
}

/// The names of the kinds of failure on disk.
const FAILURE_KINDS: [FailureKind; 4] =
    [FailureKind::Failed, FailureKind::TimedOut, FailureKind::Panicked, FailureKind::NotRecordable];

pub(super) fn write_failure(to: &mut Writer, failure: &FailureData) {
    let kind = FAILURE_KINDS.iter().position(|kind| *kind == failure.kind);
    to.number(kind.expect("every kind of failure is in the table") as u64);
    to.text(&failure.class);
    to.text(&failure.message);
    to.list(&failure.chain, |to, text| to.text(text));
    to.number(u64::from(failure.attempts));
    to.flag(failure.fatal);
    to.optional(failure.data.as_ref(), |to, data| to.bytes(data.as_bytes()));
}

pub(super) fn read_failure(from: &mut Reader<'_>) -> Result<FailureData, Damaged> {
    let kind = usize::try_from(from.number()?).ok().and_then(|index| FAILURE_KINDS.get(index).copied());
    Ok(FailureData {
        kind: kind.ok_or_else(|| from.damaged("a kind of failure"))?,
        class: from.text()?.to_owned(),
        message: from.text()?.to_owned(),
        chain: from.list(|from| Ok(from.text()?.to_owned()))?,
        attempts: from.small()?,
        fatal: from.flag()?,
        data: from.optional(|from| Ok(Payload::from_bytes(from.bytes()?)))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::path::Kind;
    use proptest::prelude::*;

    fn samples() -> Vec<Entry> {
        let mut failure = FailureData::new(FailureKind::TimedOut, "shop::Error", "no stock");
        failure.chain.push("cause".to_owned());
        failure.data = Some(Payload::from_bytes(*b"{}"));
        vec![
            Entry::Done(Outcome::Value(Payload::from_bytes(*b"1"))),
            Entry::Done(Outcome::Failed(failure.clone())),
            Entry::Done(Outcome::Slept),
            Entry::Done(Outcome::Event { message: 7, payload: Payload::from_bytes(*b"null") }),
            Entry::Done(Outcome::TimedOut),
            Entry::Done(Outcome::Child(ChildEnd::Complete(Payload::from_bytes(*b"2")))),
            Entry::Done(Outcome::Child(ChildEnd::Errored(failure.clone()))),
            Entry::Done(Outcome::Child(ChildEnd::Terminated { reason: "no".to_owned() })),
            Entry::Attempt { number: 2, failure, due: Timestamp::from_millis(5) },
            Entry::Resumed { number: 2 },
            Entry::Begun { due: Timestamp::from_millis(-1), shifts: true },
            Entry::Started { child: InstanceId::new("c").expect("valid") },
            Entry::SetAside { message: 1, reason: "not JSON".to_owned() },
            Entry::Changed,
            Entry::Shifted { by_ms: 10 },
        ]
    }

    #[test]
    fn every_kind_of_record_reads_back_and_no_cut_of_it_does() {
        for entry in samples() {
            let path = Path::root().join(Kind::Step, "a", Some("k"), 1);
            let record = Record { time: Timestamp::from_millis(1_700_000_000_000), path, entry };
            let bytes = record.encode();
            assert_eq!(Record::decode(bytes.as_bytes()), Ok(record.clone()));
            for cut in 0..bytes.as_bytes().len() {
                assert!(Record::decode(&bytes.as_bytes()[..cut]).is_err(), "{record:?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
        }
    }
}
