//! Where an instance must stand in the indexes, by its fields; and which instance an entry leads to.
//!
//! The same rules as `leave` and `enter` of `scripts/prelude.lua`, in another language. Pure. Called by the check.

use crate::journal::wire::Damaged;
use crate::store::redis::keys::Of;
use crate::store::redis::stored::{self, Numbers, OldRun};
use crate::store::redis::views::SORTABLE_ZERO;
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::time::Timestamp;

/// The fields that say where an instance stands, in order.
pub(super) const FIELDS: [&str; 6] = ["h", "t", "b", "m", "w", "a"];

/// An entry of an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) index: Of,
    pub(super) member: Vec<u8>,
    /// Its score; `None` where any will do.
    pub(super) score: Option<f64>,
}

/// What an instance's fields say of where it stands.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) numbers: Numbers,
    pub(super) old: Vec<OldRun>,
    workflow: WorkflowName,
    version: u32,
    queue: QueueName,
    created_at: Timestamp,
    due: Option<Timestamp>,
}

impl Facts {
    /// Reads [`FIELDS`]. `None` when there is no such instance.
    pub(super) fn read(fields: &[Option<Vec<u8>>]) -> Result<Option<Self>, Damaged> {
        let field = |index: usize| fields.get(index).and_then(Option::as_deref);
        let Some(head) = field(0) else { return Ok(None) };
        let needed = |index| field(index).ok_or(Damaged { at: 0, what: "a field of an instance" });
        let numbers = Numbers::read(head, field(1).unwrap_or_default())?;
        let (_, seed, created_at) = stored::read_birth(needed(2)?)?;
        let spec = stored::read_spec(needed(3)?, seed, b"")?;
        let waits = field(4).map_or(Ok(Vec::new()), stored::read_waits)?;
        Ok(Some(Self {
            numbers,
            old: field(5).map_or(Ok(Vec::new()), stored::read_old)?,
            workflow: spec.workflow,
            version: spec.version,
            queue: spec.queue,
            created_at,
            due: waits.iter().filter_map(|wait| wait.due).min(),
        }))
    }

    /// Every entry it must have, but those of its outbox.
    pub(super) fn entries(&self, id: &InstanceId, keeps_ids: bool) -> Vec<Entry> {
        let name = id.as_str().as_bytes();
        let created = sortable(self.created_at.as_millis());
        let all = [self.workflow.as_str().as_bytes(), b"\0", &created, name].concat();
        let mut entries = vec![Entry::of(Of::All, all)];
        if keeps_ids {
            entries.push(Entry::of(Of::Ids, name.to_vec()));
        }
        entries.extend(self.old.iter().map(|old| Entry {
            index: Of::Old,
            member: [name, b"\0", &old.run.to_be_bytes()].concat(),
            score: Some(as_score(old.expires_at.as_millis())),
        }));
        self.place(name, &mut entries);
        entries
    }

    fn place(&self, name: &[u8], entries: &mut Vec<Entry>) {
        let numbers = &self.numbers;
        let (workflow, queue) = (self.workflow.as_str().as_bytes(), self.queue.as_str().as_bytes());
        let begun: &[u8] = if numbers.begun { b"0" } else { b"1" };
        let since = sortable(numbers.since);
        let version = self.version.to_string();
        let session = numbers.session.map(|session| session.0.to_be_bytes()).unwrap_or_default();
        let timed = |index, score| Entry { index, member: name.to_vec(), score: Some(score) };
        match numbers.place {
            1 => {
                let parts = [queue, b"\0", begun, workflow, b"\0", &since, name, b"\0", version.as_bytes()];
                entries.push(Entry::of(Of::Ready, parts.concat()));
            }
            2 => {
                let parts = [workflow, b"\0", &self.version.to_be_bytes(), queue, b"\0", begun, name];
                entries.push(Entry::of(Of::Shelf, parts.concat()));
            }
            3 => {
                let parts = [&session, since.as_slice(), name, b"\0", workflow, b"\0", version.as_bytes()];
                entries.push(Entry::of(Of::Inbox, parts.concat()));
            }
            4 => {
                entries.push(Entry::of(Of::Held, [&session, name].concat()));
                if numbers.notice {
                    entries.push(Entry::of(Of::Notes, [&session, name].concat()));
                }
            }
            5 => {
                entries.push(timed(Of::Timers, self.due.map_or(f64::INFINITY, |due| as_score(due.as_millis()))));
                if !numbers.begun {
                    entries.push(Entry::of(Of::Later, name.to_vec()));
                }
            }
            6 => entries.push(timed(Of::Paused, as_score(numbers.since))),
            7 => {
                // Never expires before others have heard of it.
                let expires = if numbers.unsent > 0 { f64::INFINITY } else { as_score(numbers.since) };
                let index = match numbers.ending {
                    1 => Of::Complete,
                    2 => Of::Errored,
                    _ => Of::Terminated,
                };
                entries.push(timed(index, expires));
            }
            // What is no place has its own finding.
            _ => {}
        }
    }
}

impl Entry {
    /// Of a set that is ordered by its members: all scores are the same.
    fn of(index: Of, member: Vec<u8>) -> Self {
        Self { index, member, score: Some(0.0) }
    }

    /// Of a command in an outbox: its score is when it was queued.
    pub(super) fn of_outbox(id: &InstanceId, number: u64) -> Self {
        let number = sortable(i64::try_from(number).unwrap_or(i64::MAX >> 11));
        Self { index: Of::Out, member: [id.as_str().as_bytes(), b"\0", &number].concat(), score: None }
    }
}

/// The instance that an entry leads to; `None` when it is no entry of that index.
pub(super) fn led_to(index: Of, member: &[u8]) -> Option<InstanceId> {
    let after_zero = |bytes: &'_ [u8]| bytes.iter().position(|byte| *byte == 0).map(|at| at + 1);
    let id = match index {
        Of::Held | Of::Notes | Of::Lost => member.get(16..)?,
        Of::Ready => {
            let rest = member.get(after_zero(member)?..)?;
            let rest = rest.get(after_zero(rest)? + 7..)?;
            rest.get(..after_zero(rest)? - 1)?
        }
        Of::Inbox => {
            let rest = member.get(23..)?;
            rest.get(..after_zero(rest)? - 1)?
        }
        Of::Shelf => {
            let rest = member.get(after_zero(member)? + 4..)?;
            rest.get(after_zero(rest)? + 1..)?
        }
        Of::All => member.get(after_zero(member)? + 7..)?,
        Of::Out => member.get(..member.len().checked_sub(7)?)?.strip_suffix(b"\0")?,
        Of::Old => member.get(..member.len().checked_sub(4)?)?.strip_suffix(b"\0")?,
        _ => member,
    };
    InstanceId::new(std::str::from_utf8(id).ok()?).ok()
}

/// The number of a command, from its entry.
pub(super) fn outgoing_number(member: &[u8]) -> Option<u64> {
    let number = member.last_chunk::<7>()?.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
    u64::try_from(number - SORTABLE_ZERO).ok()
}

fn sortable(number: i64) -> [u8; 7] {
    let bytes = (number + SORTABLE_ZERO).to_be_bytes();
    bytes[1..].try_into().expect("seven of eight bytes")
}

#[expect(clippy::cast_precision_loss, reason = "times have 48 bits")]
const fn as_score(number: i64) -> f64 {
    number as f64
}
