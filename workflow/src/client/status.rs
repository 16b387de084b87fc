//! How an instance stands, in the words of users.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::engine::Engine;
use super::error::EngineError;
use super::failure::RecordedError;
use super::history::{SetAside, decode};
use super::when;
use crate::definition::WorkflowOutput;
use crate::journal::command::{PauseReason, Wait};
use crate::journal::head::{End, Head, Place, State, Suspect};
use crate::journal::machine::Running;
use crate::journal::message::Channel;
use crate::journal::record::Record;
use crate::store::Snapshot;
use crate::words::failure::FailureData;
use crate::words::id::InstanceId;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// How many records from the end are searched for the operation a run's error came from.
const TAIL: u32 = 64;

/// How an instance stands. `T` is its output's type.
///
/// All times are the store's. Serialisable, for pages and tools of your own; its `Debug` does not show the output.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Status<T> {
    /// The instance's id.
    pub id: String,
    /// Its workflow.
    pub workflow: String,
    /// Its major version.
    pub version: u32,
    /// Its queue.
    pub queue: String,
    /// Its priority, 0 (first) to 255 (last).
    pub priority: u8,
    /// Its state.
    pub state: State,
    /// It waits for a worker that knows its workflow in its version: no worker so far did.
    pub shelved: bool,
    /// A pause is asked for, and takes effect when the bodies that run have ended.
    pub pausing: bool,
    /// The run, from 1; each restart begins the next.
    pub run: u32,
    /// The operation that this run was restarted from, in words: `step "reserve" [tea]`.
    pub restarted_from: Option<String>,
    /// The runs whose history can be read, oldest first, this one included.
    pub runs: Vec<u32>,
    /// Its output, once it is complete.
    pub output: Option<T>,
    /// Why the recorded output cannot be read as a `T`: the workflow's output type has changed since.
    pub unreadable: Option<String>,
    /// Its error, once it is errored.
    pub error: Option<RecordedError>,
    /// Why it was terminated, once it is.
    pub terminated: Option<String>,
    /// What it waits for, while it is waiting or paused. While a body runs, what it waits for beside that is known to its
    /// worker only: it is here when that is this engine, as a hint, which may not be written yet; elsewhere the deadlines
    /// that began are in the history.
    pub waits: Vec<OpenWait>,
    /// The step bodies that run, when it runs in this engine. A hint: by the time it is read it may be others. Empty when
    /// another engine has it: see `worker`.
    pub running: Vec<RunningOperation>,
    /// Why and since when it is paused, while it is.
    pub paused: Option<Paused>,
    /// Events that came in this run and could not be read by the wait they were for. Empty once the run has ended: then
    /// the history shows them.
    pub set_aside: Vec<SetAside>,
    /// When it was created.
    #[serde(serialize_with = "when::at")]
    pub created_at: SystemTime,
    /// It is not started before this time.
    #[serde(serialize_with = "when::maybe_at")]
    pub start_at: Option<SystemTime>,
    /// When this run began; of one that was restarted from an operation, when the run began that it goes on with.
    #[serde(serialize_with = "when::at")]
    pub started_at: SystemTime,
    /// When anything of it last changed.
    #[serde(serialize_with = "when::at")]
    pub updated_at: SystemTime,
    /// When it ended.
    #[serde(serialize_with = "when::maybe_at")]
    pub ended_at: Option<SystemTime>,
    /// When it is deleted, and its id is free again.
    #[serde(serialize_with = "when::maybe_at")]
    pub expires_at: Option<SystemTime>,
    /// The session of the worker that has it now. A hint: by the time it is read it may be another.
    pub worker: Option<String>,
    /// A worker crashed while it had this instance, which may be why.
    pub suspect: bool,
    /// How many records its journal has; the limit is 25,000.
    pub records: u32,
    /// How many bytes they take; the limit is 32 MiB.
    pub journal_bytes: u64,
    /// How many events it has not read; the limit is 1,000.
    pub unread_events: u32,
}

/// One thing an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpenWait {
    /// The operation in words: `wait "payment"`.
    pub operation: String,
    /// Its structural path, as in the history.
    pub path: String,
    /// What ends it, beside its time.
    pub target: WaitTarget,
    /// When its time is up: the end of a sleep, a deadline, the next attempt. While the instance is paused, as it was
    /// before.
    #[serde(serialize_with = "when::maybe_at")]
    pub due: Option<SystemTime>,
    /// Whether a pause moves `due`.
    pub shifts: bool,
}

/// A step body that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunningOperation {
    /// The step in words: `group "ship" › step "label" [eu]`.
    pub operation: String,
    /// Its structural path, as in the history.
    pub path: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it began, by the worker's estimate of the store's time.
    #[serde(serialize_with = "when::at")]
    pub since: SystemTime,
}

impl RunningOperation {
    fn of(running: &Running) -> Self {
        Self {
            operation: running.path.to_string(),
            path: running.path.as_str().to_owned(),
            attempt: running.attempt,
            since: running.since.to_system_time(),
        }
    }
}

/// What ends a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitTarget {
    /// Only its time.
    Time,
    /// An event.
    Event {
        /// Its type.
        event_type: String,
        /// Its key; empty for none.
        key: String,
    },
    /// The end of a child.
    Child {
        /// The child's id.
        id: String,
    },
}

impl WaitTarget {
    fn of(channel: &Channel) -> Self {
        match (channel.as_event(), channel.as_child()) {
            (Some((event_type, key)), _) => Self::Event { event_type: event_type.to_owned(), key: key.to_owned() },
            (None, Some(id)) => Self::Child { id: id.to_owned() },
            (None, None) => Self::Time,
        }
    }
}

/// Why an instance is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Paused {
    /// Why.
    pub reason: PauseReason,
    /// Since when.
    #[serde(serialize_with = "when::at")]
    pub since: SystemTime,
}

/// The status of an instance as it stands in the store, with what only its journal knows.
pub(super) async fn read<T: WorkflowOutput>(engine: &Engine, snapshot: Snapshot) -> Result<Status<T>, EngineError> {
    let Snapshot { id, head, runs } = snapshot;
    let mut status = Status { runs, ..of_head(&id, &head) };
    match &head.place {
        Place::Done { end: End::Returned(ending), .. } => match &ending.result {
            Ok(output) => read_output(&mut status, output),
            Err(failure) => status.error = Some(read_error(engine, &id, &head, failure).await),
        },
        // Only messages can be set aside.
        _ if head.arrivals > 0 => status.set_aside = read_set_aside(engine, &id, &head).await?,
        _ => {}
    }
    if let Place::Held { .. } = &head.place {
        add_what_runs(&mut status, engine, &id);
    }
    Ok(status)
}

/// What only the worker knows, if that is this engine.
fn add_what_runs<T>(status: &mut Status<T>, engine: &Engine, id: &InstanceId) {
    let seen = engine.core().drive_of(id, None).and_then(|drive| drive.look());
    // With no body running it is about to wait, and does so only once that is written.
    if let Some(seen) = seen.filter(|seen| seen.run == status.run && !seen.running.is_empty()) {
        status.running = seen.running.iter().map(RunningOperation::of).collect();
        status.waits = open_waits(&seen.waits);
    }
}

fn of_head<T>(id: &InstanceId, head: &Head) -> Status<T> {
    let spec = &head.spec;
    let mut status = Status {
        id: id.to_string(),
        workflow: spec.workflow.to_string(),
        version: spec.version,
        queue: spec.queue.to_string(),
        priority: spec.priority,
        state: head.state(),
        shelved: matches!(head.place, Place::Shelved),
        pausing: head.pause,
        run: head.run,
        restarted_from: head.fork.as_ref().map(|fork| fork.path.to_string()),
        runs: vec![head.run],
        output: None,
        unreadable: None,
        error: None,
        terminated: None,
        waits: Vec::new(),
        running: Vec::new(),
        paused: None,
        set_aside: Vec::new(),
        created_at: head.created_at.to_system_time(),
        start_at: spec.start_at.map(Timestamp::to_system_time),
        started_at: head.started_at.to_system_time(),
        updated_at: head.updated_at.to_system_time(),
        ended_at: None,
        expires_at: None,
        worker: None,
        suspect: head.suspect != Suspect::No,
        records: head.records,
        journal_bytes: head.journal_bytes,
        unread_events: head.unread,
    };
    add_place(&mut status, &head.place);
    status
}

fn add_place<T>(status: &mut Status<T>, place: &Place) {
    match place {
        Place::Ready { .. } | Place::Shelved => {}
        Place::Inbox { session, waits, .. } => {
            status.worker = Some(session.to_string());
            status.waits = open_waits(waits);
        }
        Place::Held { session, .. } => status.worker = Some(session.to_string()),
        Place::Asleep { waits, .. } => status.waits = open_waits(waits),
        Place::Paused { reason, since, waits } => {
            status.paused = Some(Paused { reason: reason.clone(), since: since.to_system_time() });
            status.waits = open_waits(waits);
        }
        Place::Done { end, at, expires_at } => {
            status.ended_at = Some(at.to_system_time());
            status.expires_at = Some(expires_at.to_system_time());
            if let End::Terminated { reason } = end {
                status.terminated = Some(reason.clone());
            }
        }
    }
}

fn open_waits(waits: &[Wait]) -> Vec<OpenWait> {
    let open = |wait: &Wait| OpenWait {
        operation: wait.path.to_string(),
        path: wait.path.as_str().to_owned(),
        target: wait.channel.as_ref().map_or(WaitTarget::Time, WaitTarget::of),
        due: wait.due.map(Timestamp::to_system_time),
        shifts: wait.shifts,
    };
    waits.iter().map(open).collect()
}

fn read_output<T: WorkflowOutput>(status: &mut Status<T>, output: &Payload) {
    match T::from_payload(output) {
        Ok(output) => status.output = Some(output),
        Err(error) => status.unreadable = Some(error.to_string()),
    }
}

async fn read_error(engine: &Engine, id: &InstanceId, head: &Head, failure: &FailureData) -> RecordedError {
    let tail = read_records(engine, id, head.run, head.records.saturating_sub(TAIL)).await;
    // The failure itself is in the head: that a journal cannot be read must not hide it.
    RecordedError::of_run(failure, tail.as_deref().unwrap_or_default())
}

async fn read_set_aside(engine: &Engine, id: &InstanceId, head: &Head) -> Result<Vec<SetAside>, EngineError> {
    let records = read_records(engine, id, head.run, 0).await?;
    Ok(records.iter().filter_map(SetAside::of).collect())
}

/// The records of a run from number `from`; none when the run was deleted meanwhile.
async fn read_records(engine: &Engine, id: &InstanceId, run: u32, from: u32) -> Result<Vec<Record>, EngineError> {
    let records = engine.read(|| engine.store().journal(id.clone(), run, from)).await?;
    records.unwrap_or_default().iter().map(|record| decode(id, record)).collect()
}

impl<T> fmt::Debug for Status<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("id", &self.id)
            .field("workflow", &self.workflow)
            .field("state", &self.state)
            .field("shelved", &self.shelved)
            .field("pausing", &self.pausing)
            .field("run", &self.run)
            .field("restarted_from", &self.restarted_from)
            .field("output", &self.output.as_ref().map(|_| "<output>"))
            .field("unreadable", &self.unreadable)
            .field("error", &self.error)
            .field("terminated", &self.terminated)
            .field("waits", &self.waits)
            .field("running", &self.running)
            .field("paused", &self.paused)
            .field("set_aside", &self.set_aside)
            .field("worker", &self.worker)
            .field("suspect", &self.suspect)
            .field("records", &self.records)
            .field("unread_events", &self.unread_events)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::path::{Kind, Path};

    #[test]
    fn a_wait_says_what_ends_it() {
        let path = Path::root().join(Kind::Wait, "payment", None, 0);
        let wait = |channel| Wait { path: path.clone(), channel, due: None, shifts: true };
        let child = InstanceId::new("child-1").expect("valid");
        let waits =
            [wait(Some(Channel::event("stripe:payment", "pi:1"))), wait(Some(Channel::child(&child))), wait(None)];
        let targets: Vec<WaitTarget> = open_waits(&waits).into_iter().map(|wait| wait.target).collect();
        let event = WaitTarget::Event { event_type: "stripe:payment".to_owned(), key: "pi:1".to_owned() };
        assert_eq!(targets, [event, WaitTarget::Child { id: "child-1".to_owned() }, WaitTarget::Time]);
        assert_eq!(open_waits(&waits)[0].operation, "wait \"payment\"");
    }
}
