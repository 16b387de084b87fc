//! What a run did, read from its journal: each operation once, as a tree.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::engine::Engine;
use super::error::EngineError;
use super::failure::RecordedError;
use crate::journal::message::ChildEnd;
use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::id::InstanceId;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// What one run of an instance did.
///
/// `{}` shows it as an indented tree, without values. Serialisable, values included, for pages and tools of your own.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct History {
    /// The instance's id.
    pub id: String,
    /// The run.
    pub run: u32,
    /// How many records it was read from.
    pub records: usize,
    /// Its operations and scopes. Each scope comes before what it holds; among siblings the one that was recorded first
    /// comes first.
    pub operations: Vec<Operation>,
    /// The times it was paused, in order.
    pub pauses: Vec<Pause>,
}

/// One step, group, sleep, wait, child, change or part of a run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Operation {
    /// Where it stands, in words: `group "ship" › step "label" [eu]`.
    pub operation: String,
    /// Its structural path, which is its identity in the run.
    pub path: String,
    /// What kind of operation it is.
    #[serde(serialize_with = "as_word")]
    pub kind: Kind,
    /// Its name; empty for an unnamed sleep.
    pub name: String,
    /// Its key.
    pub key: Option<String>,
    /// How often the same name and key came before in its scope.
    pub occurrence: u32,
    /// How many scopes enclose it.
    pub depth: usize,
    /// The position in [`History::operations`] of the scope that holds it; `None` for the workflow itself.
    pub parent: Option<usize>,
    /// The time of its first record: for an operation that succeeded at its first attempt that is its end; for a scope,
    /// the first record of what it holds.
    pub first_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// When its timer is due, or its next attempt, while it is open. A pause that is over has moved it.
    pub due: Option<SystemTime>,
    /// The end of a sleep, or the deadline of a wait or of a group's attempt, however it ended; `None` where none was set.
    /// A pause that was over before it ended has moved it.
    pub deadline: Option<SystemTime>,
    /// The attempts that failed, but the last one when that ended it.
    pub failed_attempts: Vec<Attempt>,
    /// The child it created.
    pub child: Option<String>,
    /// Events that it could not read.
    pub set_aside: Vec<SetAside>,
    /// How it ended.
    pub end: Option<OperationEnd>,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// When it failed.
    pub at: SystemTime,
    /// How.
    pub error: RecordedError,
    /// When the next one was due; `None` when it ran again because its group did.
    pub retry_at: Option<SystemTime>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationEnd {
    /// A step or group gave this value.
    Value(Recorded),
    /// A step or group failed for good.
    Failed(RecordedError),
    /// A sleep was over.
    Slept,
    /// This event came.
    Event(Recorded),
    /// Its deadline passed.
    TimedOut,
    /// A child completed with this output.
    ChildComplete(Recorded),
    /// A child failed.
    ChildErrored(RecordedError),
    /// A child was ended from outside.
    ChildTerminated {
        /// Why.
        reason: String,
    },
    /// A child could not be created.
    ChildNotCreated {
        /// Why.
        reason: String,
    },
    /// The instance took the new branch of a `changed`.
    Changed,
}

/// A recorded value. Its `Debug` shows the size only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded(Payload);

impl Recorded {
    /// The value as JSON text.
    ///
    /// # Errors
    /// When what is recorded is not text.
    pub fn json(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(self.0.as_bytes())
    }

    /// The value, as a `T`.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, crate::words::payload::CodecError> {
        self.0.decode()
    }

    /// Its size as recorded, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.as_bytes().len()
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: Box<RawValue> = self.0.decode().map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// An event that a wait could not read. It was taken from the mailbox; the wait went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetAside {
    /// The wait, in words.
    pub operation: String,
    /// The event's position in the mailbox: the how many-th message of the run.
    pub message: u64,
    /// When it was set aside.
    pub at: SystemTime,
    /// Why it could not be read.
    pub reason: String,
}

impl SetAside {
    pub(super) fn of(record: &Record) -> Option<Self> {
        match &record.entry {
            Entry::SetAside { message, reason } => Some(Self {
                operation: record.path.to_string(),
                message: *message,
                at: record.time.to_system_time(),
                reason: reason.clone(),
            }),
            _ => None,
        }
    }
}

/// A time the run was paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pause {
    /// When the run learned that it was over.
    pub at: SystemTime,
    /// How long it lasted: how much later the timers that shift became due.
    pub lasted: Duration,
}

/// Reads the history of a run.
pub(super) async fn read(engine: &Engine, id: &InstanceId, run: u32) -> Result<History, EngineError> {
    Ok(of_records(id, run, &records(engine, id, run).await?))
}

/// The records of a run.
pub(super) async fn records(engine: &Engine, id: &InstanceId, run: u32) -> Result<Vec<Record>, EngineError> {
    let encoded = engine.read(|| engine.store().journal(id.clone(), run, 0)).await?;
    let encoded = encoded.ok_or_else(|| EngineError::NoSuchRun { id: id.to_string(), run })?;
    encoded.iter().map(|record| decode(id, record)).collect()
}

/// Reads a record.
pub(super) fn decode(id: &InstanceId, record: &Payload) -> Result<Record, EngineError> {
    Record::decode(record.as_bytes())
        .map_err(|error| EngineError::Unreadable { id: id.to_string(), message: format!("a record: {error}") })
}

fn of_records(id: &InstanceId, run: u32, records: &[Record]) -> History {
    let mut tree = Tree::default();
    let mut pauses = Vec::new();
    for record in records {
        match &record.entry {
            Entry::Shifted { by_ms } => {
                let lasted = Duration::from_millis(u64::try_from(*by_ms).unwrap_or(0));
                tree.shift(lasted);
                pauses.push(Pause { at: record.time.to_system_time(), lasted });
            }
            _ => tree.add(record),
        }
    }
    History { id: id.to_string(), run, records: records.len(), operations: tree.into_list(), pauses }
}

/// Operations as they are found, with the children of each in the order they were found.
#[derive(Default)]
struct Tree {
    nodes: Vec<(Operation, Vec<usize>)>,
    /// The operations whose timers no pause moves.
    fixed: HashSet<usize>,
    by_path: HashMap<String, usize>,
    roots: Vec<usize>,
}

impl Tree {
    fn add(&mut self, record: &Record) {
        let index = self.node(&record.path, record.time);
        if let Entry::Begun { shifts: false, .. } = record.entry {
            self.fixed.insert(index);
        }
        self.nodes[index].0.learn(record);
    }

    /// A pause is over: what was to come while it lasted comes later.
    fn shift(&mut self, by: Duration) {
        for (index, (operation, _)) in self.nodes.iter_mut().enumerate() {
            if !self.fixed.contains(&index) && operation.due.is_some() {
                operation.due = operation.due.map(|due| due + by);
                operation.deadline = operation.deadline.map(|deadline| deadline + by);
            }
        }
    }

    /// The node of a path, made with the scopes around it when it is new.
    fn node(&mut self, path: &Path, time: Timestamp) -> usize {
        if let Some(index) = self.by_path.get(path.as_str()) {
            return *index;
        }
        let scope = path.enclosing().next().map(Path::from_recorded);
        let parent = scope.map(|scope| self.node(&scope, time));
        let index = self.nodes.len();
        let depth = parent.map_or(0, |parent| self.nodes[parent].0.depth + 1);
        self.nodes.push((Operation::new(path, depth, time), Vec::new()));
        self.by_path.insert(path.as_str().to_owned(), index);
        match parent {
            Some(parent) => self.nodes[parent].1.push(index),
            None => self.roots.push(index),
        }
        index
    }

    /// Each scope before what it holds.
    fn into_list(self) -> Vec<Operation> {
        let (operations, children): (Vec<_>, Vec<_>) = self.nodes.into_iter().unzip();
        let mut operations: Vec<Option<Operation>> = operations.into_iter().map(Some).collect();
        let mut list = Vec::with_capacity(operations.len());
        // An explicit stack: paths nest as deep as the user's recursion.
        let mut open: Vec<(usize, Option<usize>)> = self.roots.into_iter().rev().map(|root| (root, None)).collect();
        while let Some((index, parent)) = open.pop() {
            let mut operation = operations[index].take().expect("every node has one parent");
            operation.parent = parent;
            open.extend(children[index].iter().rev().map(|child| (*child, Some(list.len()))));
            list.push(operation);
        }
        list
    }
}

impl Operation {
    fn new(path: &Path, depth: usize, time: Timestamp) -> Self {
        let segment = path.last();
        let (kind, name, key, occurrence) = match segment {
            Some(segment) => (segment.kind, segment.name, segment.key, segment.occurrence),
            None => (Kind::Part, path.as_str().to_owned(), None, 0),
        };
        Self {
            operation: path.to_string(),
            path: path.as_str().to_owned(),
            kind,
            name,
            key,
            occurrence,
            depth,
            parent: None,
            first_at: time.to_system_time(),
            ended_at: None,
            due: None,
            deadline: None,
            failed_attempts: Vec::new(),
            child: None,
            set_aside: Vec::new(),
            end: None,
        }
    }

    /// How many attempts were made of a step or group that has ended.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match &self.end {
            Some(OperationEnd::Failed(error)) => error.attempts,
            _ => u32::try_from(self.failed_attempts.len()).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    fn learn(&mut self, record: &Record) {
        let at = record.time.to_system_time();
        match &record.entry {
            Entry::Done(outcome) => self.finish(at, outcome),
            Entry::Changed => self.close(at, OperationEnd::Changed),
            Entry::Attempt { number, failure, due } => {
                let due = due.to_system_time();
                let error = RecordedError::new(failure);
                self.failed_attempts.push(Attempt { number: *number, at, error, retry_at: Some(due) });
                self.due = Some(due);
            }
            Entry::Begun { due, .. } => {
                self.due = Some(due.to_system_time());
                self.deadline = self.due;
            }
            Entry::Resumed { .. } => self.due = None,
            Entry::Started { child } => self.child = Some(child.to_string()),
            Entry::SetAside { .. } => self.set_aside.extend(SetAside::of(record)),
            // Of the run, not of an operation.
            Entry::Shifted { .. } => {}
        }
    }

    fn finish(&mut self, at: SystemTime, outcome: &Outcome) {
        // What failed inside a group is tried again when the group is: the failure before was an attempt.
        if let (Some(OperationEnd::Failed(error)), Some(failed_at)) = (self.end.take(), self.ended_at) {
            self.failed_attempts.push(Attempt { number: error.attempts, at: failed_at, error, retry_at: None });
        }
        self.close(at, OperationEnd::of(outcome));
    }

    fn close(&mut self, at: SystemTime, end: OperationEnd) {
        self.ended_at = Some(at);
        self.end = Some(end);
        self.due = None;
    }
}

impl OperationEnd {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Value(value) => Self::Value(Recorded(value.clone())),
            Outcome::Failed(failure) => Self::Failed(RecordedError::new(failure)),
            Outcome::Slept => Self::Slept,
            Outcome::Event { payload, .. } => Self::Event(Recorded(payload.clone())),
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Child(ChildEnd::Complete(output)) => Self::ChildComplete(Recorded(output.clone())),
            Outcome::Child(ChildEnd::Errored(failure)) => Self::ChildErrored(RecordedError::new(failure)),
            Outcome::Child(ChildEnd::Terminated { reason }) => Self::ChildTerminated { reason: reason.clone() },
            Outcome::Child(ChildEnd::NotCreated { reason }) => Self::ChildNotCreated { reason: reason.clone() },
        }
    }
}

fn as_word<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} run {}", self.id, self.run)?;
        self.operations.iter().try_for_each(|operation| write!(f, "\n{operation}"))
    }
}

impl fmt::Display for Operation {
    /// One line, indented by its depth: what it is and how it stands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:indent$}", "", indent = self.depth * 2 + 2)?;
        match Path::from_recorded(&self.path).last() {
            Some(segment) => write!(f, "{segment}")?,
            None => f.write_str(&self.path)?,
        }
        if self.attempts() > 1 {
            write!(f, ", {} attempts", self.attempts())?;
        }
        match &self.end {
            None if self.kind == Kind::Part => Ok(()),
            None => f.write_str(": open"),
            Some(end) => write!(f, ": {end}"),
        }
    }
}

impl fmt::Display for OperationEnd {
    /// In words, without values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("done"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Slept => f.write_str("over"),
            Self::Event(_) => f.write_str("event"),
            Self::TimedOut => f.write_str("timed out"),
            Self::ChildComplete(_) => f.write_str("complete"),
            Self::ChildErrored(error) => write!(f, "errored: {error}"),
            Self::ChildTerminated { reason } => write!(f, "terminated: {reason}"),
            Self::ChildNotCreated { reason } => write!(f, "not created: {reason}"),
            Self::Changed => f.write_str("new branch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::failure::{FailureData, FailureKind};

    fn history(records: &[(&Path, Entry)]) -> History {
        let records: Vec<Record> = records
            .iter()
            .zip(1..)
            .map(|((path, entry), time)| Record {
                time: Timestamp::from_millis(time),
                path: (*path).clone(),
                entry: entry.clone(),
            })
            .collect();
        of_records(&InstanceId::new("order-1").expect("valid"), 2, &records)
    }

    fn value() -> Entry {
        Entry::Done(Outcome::Value(Payload::from_bytes(*b"{\"card\":\"s3cret\"}")))
    }

    fn failed(attempts: u32) -> FailureData {
        FailureData { attempts, ..FailureData::new(FailureKind::Failed, "", "jam") }
    }

    fn millis(time: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(time)
    }

    #[test]
    fn operations_are_listed_as_a_tree_with_scopes_first() {
        let fetch = Path::root().join(Kind::Step, "fetch", None, 0);
        let group = Path::root().join(Kind::Group, "ship", None, 0);
        let label = group.join(Kind::Step, "label", Some("eu"), 0);
        let sleep = Path::root().join(Kind::Sleep, "", None, 0);
        let mail = Path::root().join(Kind::Part, "notify", None, 0).join(Kind::Step, "mail", None, 1);
        let due = Timestamp::from_millis(900);
        let shown = history(&[
            (&fetch, Entry::Attempt { number: 1, failure: failed(1), due }),
            (&label, value()),
            (&fetch, value()),
            (&mail, value()),
            (&group, value()),
            (&sleep, Entry::Begun { due, shifts: true }),
        ])
        .to_string();
        let wanted = "order-1 run 2\n  step \"fetch\", 2 attempts: done\n  group \"ship\": done\n    \
                      step \"label\" [eu]: done\n  part \"notify\"\n    step \"mail\" #2: done\n  sleep: open";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn attempts_times_and_timers_are_kept() {
        let step = Path::root().join(Kind::Step, "a", None, 0);
        let due = Timestamp::from_millis(700);
        let attempt = |number| Entry::Attempt { number, failure: failed(number), due };
        let open = history(&[(&step, attempt(1)), (&step, attempt(2))]);
        assert_eq!(open.operations[0].due, Some(millis(700)));
        assert_eq!(open.operations[0].end, None);

        let ended = history(&[(&step, attempt(1)), (&step, Entry::Done(Outcome::Failed(failed(2))))]);
        let operation = &ended.operations[0];
        assert_eq!((operation.first_at, operation.ended_at), (millis(1), Some(millis(2))));
        assert_eq!((operation.attempts(), operation.failed_attempts.len(), operation.due), (2, 1, None));
        assert_eq!(operation.failed_attempts[0].retry_at, Some(millis(700)));
    }

    #[test]
    fn a_failure_that_a_groups_retry_overcame_is_an_attempt() {
        let group = Path::root().join(Kind::Group, "g", None, 0);
        let step = group.join(Kind::Step, "a", None, 0);
        let history = history(&[
            (&step, Entry::Done(Outcome::Failed(failed(1)))),
            (&group, Entry::Attempt { number: 1, failure: failed(1), due: Timestamp::from_millis(2) }),
            (&group, Entry::Resumed { number: 2 }),
            (&step, value()),
            (&group, value()),
        ]);
        let step = &history.operations[1];
        assert_eq!((step.parent, step.operation.as_str()), (Some(0), "group \"g\" › step \"a\""));
        assert!(matches!(step.end, Some(OperationEnd::Value(_))), "{step:?}");
        assert_eq!(step.failed_attempts.len(), 1);
    }

    #[test]
    fn pauses_and_unreadable_events_are_shown() {
        let wait = Path::root().join(Kind::Wait, "payment", None, 0);
        let history = history(&[
            (&wait, Entry::SetAside { message: 3, reason: "no amount".to_owned() }),
            (&Path::root(), Entry::Shifted { by_ms: 1_500 }),
            (&wait, Entry::Done(Outcome::TimedOut)),
        ]);
        assert_eq!(history.operations.len(), 1);
        let aside = &history.operations[0].set_aside[0];
        assert_eq!((aside.message, aside.operation.as_str()), (3, "wait \"payment\""));
        assert_eq!(history.pauses, [Pause { at: millis(2), lasted: Duration::from_millis(1_500) }]);
    }

    #[test]
    fn values_are_serialised_but_never_shown() {
        let step = Path::root().join(Kind::Step, "a", None, 0);
        let history = history(&[(&step, value())]);
        assert!(!format!("{history} {history:?}").contains("s3cret"));
        let json = serde_json::to_value(&history).expect("serialises");
        assert_eq!(json["operations"][0]["end"]["value"]["card"], "s3cret");
        assert_eq!(json["operations"][0]["kind"], "step");
    }
}
