//! What a test found.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::mocks::{Begun, Mocks};
use super::replay::{self, Difference};
use super::world::{BEGINNING, World};
use crate::authoring::durable::Recordable;
use crate::definition::{Definition, WorkflowError, WorkflowOutput};
use crate::journal::command::Ending;
use crate::journal::head::{End, Place};
use crate::journal::path::Path;
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::FailureData;
use crate::words::id::InstanceId;
use crate::words::payload::{CodecError, Payload};

/// What a test of the workflow `W` found.
pub struct Report<W: Definition> {
    /// What the workflow returned; or why the test has no such thing.
    pub result: Result<W::Output, TestError<W::Error>>,
    /// The steps that ran, in the order in which they first began; those of children too.
    pub steps: Vec<StepReport>,
    /// The journal of the run.
    pub records: Vec<RecordReport>,
}

/// Why a test has no output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TestError<E> {
    /// The workflow returned this error.
    Failed(E),
    /// The system ended the run: its return value cannot be recorded, or it passed a limit.
    Ended {
        /// Why.
        message: String,
    },
    /// The run was parked: its code panicked, or it does not do what its journal says.
    Parked {
        /// Why.
        message: String,
    },
    /// The run waits, and nothing that it waits for can come.
    Stuck {
        /// What it waits for.
        waits: Vec<String>,
    },
    /// The code does not do the same when it is replayed.
    Differs {
        /// How many records were replayed.
        records: usize,
        /// What it did instead.
        message: String,
    },
    /// The test itself is wrong.
    Refused {
        /// How.
        message: String,
    },
}

/// A step that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The instance it belongs to: `test`, or a child's id.
    pub instance: String,
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Option<String>,
    /// Its place in the structure of the workflow, as recorded.
    pub path: String,
    /// How many attempts began.
    pub attempts: u32,
    /// How it ended.
    pub outcome: StepOutcome,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepOutcome {
    /// With a value, as recorded.
    Value(Payload),
    /// With a failure.
    Failed {
        /// What the error says of itself.
        message: String,
    },
    /// It did not end: it was dropped.
    Open,
}

/// A record of the journal, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordReport {
    /// When, since the test began.
    pub at: Duration,
    /// The operation: `step "charge" [42]`.
    pub operation: String,
    /// What happened to it: `end`, `failed attempt`, `timer`, …
    pub what: &'static str,
}

impl StepReport {
    /// Whether it ended with a value.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.outcome, StepOutcome::Value(_))
    }

    /// Its value, if it ended with one that is a `T`.
    #[must_use]
    pub fn value<T: Recordable>(&self) -> Option<T> {
        match &self.outcome {
            StepOutcome::Value(payload) => payload.decode().ok(),
            StepOutcome::Failed { .. } | StepOutcome::Open => None,
        }
    }
}

impl<W: Definition> Report<W> {
    /// The first step of this name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The names of the steps that ran, in the order in which they first began.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    pub(super) fn refused(message: String) -> Self {
        Self { result: Err(TestError::Refused { message }), steps: Vec::new(), records: Vec::new() }
    }

    pub(super) fn of(world: &World, mocks: &Mocks) -> Self {
        let records = match world.journal(world.subject()) {
            Ok(records) => records,
            Err(message) => return Self::refused(message),
        };
        let result = result::<W>(world);
        let result = match replay::check(world, &records, ending(world)) {
            Ok(()) => result,
            // What went wrong before is the better news.
            Err(_) if matches!(result, Err(TestError::Parked { .. } | TestError::Refused { .. })) => result,
            Err(Difference { records, message }) => Err(TestError::Differs { records, message }),
        };
        Self { result, steps: steps(world, mocks.begun()), records: records.iter().map(record).collect() }
    }
}

fn ending(world: &World) -> Option<&Ending> {
    match &world.head()?.place {
        Place::Done { end: End::Returned(ending), .. } => Some(ending),
        _ => None,
    }
}

fn result<W: Definition>(world: &World) -> Result<W::Output, TestError<W::Error>> {
    if let Some(message) = world.broken() {
        return Err(TestError::Refused { message: message.to_owned() });
    }
    let Some(head) = world.head() else {
        return Err(TestError::Refused { message: "the instance is gone".to_owned() });
    };
    match &head.place {
        Place::Done { end: End::Returned(ending), .. } => returned::<W>(ending),
        Place::Done { end: End::Terminated { reason }, .. } => Err(TestError::Ended { message: reason.clone() }),
        Place::Paused { reason, .. } => Err(TestError::Parked { message: replay::words(reason) }),
        Place::Asleep { waits, .. } => {
            Err(TestError::Stuck { waits: waits.iter().map(|wait| wait.path.to_string()).collect() })
        }
        _ => Err(TestError::Stuck { waits: vec!["a step that never ends".to_owned()] }),
    }
}

fn returned<W: Definition>(ending: &Ending) -> Result<W::Output, TestError<W::Error>> {
    let unreadable = |error: CodecError| TestError::Ended { message: error.to_string() };
    match &ending.result {
        Ok(output) => W::Output::from_payload(output).map_err(unreadable),
        Err(FailureData { data: Some(data), .. }) => {
            Err(W::Error::from_payload(data).map_or_else(unreadable, TestError::Failed))
        }
        Err(failure) => Err(TestError::Ended { message: failure.message.clone() }),
    }
}

fn steps(world: &World, begun: Vec<Begun>) -> Vec<StepReport> {
    let mut steps: Vec<StepReport> = Vec::new();
    let mut known: HashMap<(InstanceId, Path), usize> = HashMap::new();
    let mut journals: HashMap<InstanceId, Vec<Record>> = HashMap::new();
    for Begun { instance, path, attempt } in begun {
        if let Some(index) = known.get(&(instance.clone(), path.clone())) {
            steps[*index].attempts = steps[*index].attempts.max(attempt);
            continue;
        }
        let Some(segment) = path.last() else { continue };
        let journal = journals.entry(instance.clone()).or_insert_with(|| world.journal(&instance).unwrap_or_default());
        steps.push(StepReport {
            instance: instance.to_string(),
            name: segment.name,
            key: segment.key,
            path: path.as_str().to_owned(),
            attempts: attempt,
            outcome: outcome(journal, &path),
        });
        known.insert((instance, path), steps.len() - 1);
    }
    steps
}

fn outcome(records: &[Record], path: &Path) -> StepOutcome {
    let end = records.iter().rev().find_map(|record| match &record.entry {
        Entry::Done(outcome) if record.path == *path => Some(outcome),
        _ => None,
    });
    match end {
        Some(Outcome::Value(payload)) => StepOutcome::Value(payload.clone()),
        Some(Outcome::Failed(failure)) => StepOutcome::Failed { message: failure.message.clone() },
        _ => StepOutcome::Open,
    }
}

fn record(record: &Record) -> RecordReport {
    RecordReport { at: record.time.until(BEGINNING), operation: record.path.to_string(), what: record.entry.word() }
}

impl fmt::Display for RecordReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} of {}", self.at, self.what, self.operation)
    }
}

impl<E: fmt::Display> fmt::Display for TestError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the workflow failed: {error}"),
            Self::Ended { message } => write!(f, "the run was ended: {message}"),
            Self::Parked { message } => write!(f, "the run was parked: {message}"),
            Self::Stuck { waits } => write!(f, "the run waits for what cannot come: {}", waits.join(", ")),
            Self::Differs { records, message } => write!(f, "a replay of {records} records differs: {message}"),
            Self::Refused { message } => write!(f, "the test cannot run: {message}"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> std::error::Error for TestError<E> {}

impl<W: Definition> fmt::Debug for Report<W>
where
    W::Output: fmt::Debug,
    W::Error: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("result", &self.result)
            .field("steps", &self.steps)
            .field("records", &self.records)
            .finish()
    }
}
