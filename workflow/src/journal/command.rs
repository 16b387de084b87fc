//! What can be asked of a store about instances, and what it answers: the inputs and outputs of the transition table.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::divergence::Divergence;
use super::head::{Fork, State};
use super::lease::{Lease, LeaseReply, LimitName};
use super::message::{Channel, Message, NewMessage};
use super::path::Path;
use crate::words::failure::FailureData;
use crate::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// One request to the store. Each is one atomic transition; a batch of them is not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Makes an instance. Idempotent by id and request.
    Create(Create),
    /// Puts a message into an instance's mailbox. Idempotent by the message's event id until the run ends.
    Send(Send),
    /// Pauses, resumes, terminates or restarts an instance.
    Control(Control),
    /// Registers a worker session.
    OpenSession {
        /// The session.
        session: SessionId,
        /// How long it lives after each beat.
        lease: Duration,
    },
    /// Ends a session at once: what it held goes back to ready, not as suspects. Idempotent.
    CloseSession {
        /// The session.
        session: SessionId,
    },
    /// Revokes a session whose lease has run out, if its heart has not beaten more than `beats` times.
    Fence {
        /// The session.
        session: SessionId,
        /// The counter the caller saw stand still for a lease by its own monotonic clock.
        beats: u64,
    },
    /// Moves what a revoked session held back to ready, as suspects, a few at a time.
    Recover {
        /// The revoked session.
        session: SessionId,
        /// At most how many.
        limit: usize,
    },
    /// Asks for tokens of a limit that holds across all workers, or gives them back.
    Lease(Lease),
    /// Gives a session work: what was woken for it, then shelved work it knows, then ready work of its queues.
    Claim(Claim),
    /// An owner's write: appends records, consumes messages, queues outgoing commands, and says what comes next.
    Own(OwnerWrite),
    /// Wakes instances whose timers are due, up to a limit.
    WakeDue {
        /// At most how many.
        limit: usize,
    },
    /// Moves what waits longer than `older_than` in any session's inbox to ready, for anyone.
    Unstick {
        /// How long an entry may wait for its session.
        older_than: Duration,
        /// At most how many.
        limit: usize,
    },
    /// Forgets outgoing commands that were carried out.
    Sent {
        /// The instance they came from.
        source: InstanceId,
        /// Their numbers.
        numbers: Vec<u64>,
    },
    /// Deletes finished instances (and old runs) whose retention has passed.
    Expire {
        /// At most how many.
        limit: usize,
    },
}

impl Command {
    /// The instance it is about; a store finds those of the other commands itself.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Create(create) => Some(&create.id),
            Self::Send(send) => Some(&send.id),
            Self::Control(control) => Some(&control.id),
            Self::Own(write) => Some(&write.owner.id),
            Self::Sent { source, .. } => Some(source),
            Self::OpenSession { .. }
            | Self::CloseSession { .. }
            | Self::Fence { .. }
            | Self::Recover { .. }
            | Self::Lease(_)
            | Self::Claim(_)
            | Self::WakeDue { .. }
            | Self::Unstick { .. }
            | Self::Expire { .. } => None,
        }
    }
}

/// See [`Command::Create`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Create {
    /// Names this request: repeating it is answered `Created` again, another one's `Exists`.
    pub request: RequestId,
    /// The instance's id.
    pub id: InstanceId,
    /// What it is.
    pub spec: Arc<InstanceSpec>,
    /// A session of the caller that has room for it now: it is handed over in the same write if the queue's ready
    /// list is empty, no start time applies and the session lives.
    pub local: Option<SessionId>,
    /// A message that is in its mailbox from the beginning, if this request makes it.
    pub message: Option<NewMessage>,
}

/// What an instance is: fixed at its creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceSpec {
    /// The workflow's name.
    pub workflow: WorkflowName,
    /// Its major version: only code of this version runs it.
    pub version: u32,
    /// Its queue.
    pub queue: QueueName,
    /// 0 (first) to 255 (last): how many times 30 seconds others may come before it.
    pub priority: u8,
    /// Its encoded inputs.
    pub input: Payload,
    /// The seed of its random streams and idempotency keys.
    pub seed: u128,
    /// Not before this time.
    pub start_at: Option<Timestamp>,
    /// How long it is kept after it completed.
    pub keep_complete: Duration,
    /// How long it is kept after it errored or was terminated.
    pub keep_failed: Duration,
    /// The parent that waits for it.
    pub parent: Option<Parent>,
}

/// Who created a child.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parent {
    /// The parent's id.
    pub id: InstanceId,
    /// The parent's run. Its end is of interest to no other.
    pub run: u32,
    /// What becomes of the child when the parent closes.
    pub on_close: ParentClose,
}

/// What becomes of a child when its parent's run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ParentClose {
    /// The child is terminated.
    #[default]
    Terminate,
    /// The child goes on.
    Abandon,
}

/// See [`Command::Send`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Send {
    /// To whom.
    pub id: InstanceId,
    /// To which run only; `None` for the newest. Ends of children name the run that started them.
    pub run: Option<u32>,
    /// What.
    pub message: NewMessage,
}

/// See [`Command::Control`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Control {
    /// Names this request: repeating it is answered with the first outcome, as long as it was the newest.
    pub request: RequestId,
    /// Which instance.
    pub id: InstanceId,
    /// To which run only; `None` for the newest.
    pub run: Option<u32>,
    /// What to do.
    pub action: Action,
}

/// What an operator (or a closing parent) wants of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// At once when nothing of it runs; else when the bodies that run have ended.
    Pause,
    /// Takes back a pause; timers are shifted by the time paused. Also continues a parked instance.
    Resume,
    /// Ends it now. A body that runs is dropped; no later step runs.
    Terminate {
        /// Why.
        reason: String,
    },
    /// A new run from the beginning with the same input. Events and timers of the old run are gone.
    Restart,
    /// A new run that keeps what the current one had begun before it came to this operation: see
    /// [`Fork`]. Unread messages stay. Refused when the current run has no records, or comes from
    /// others than its sender has read.
    RestartFrom {
        /// The operation.
        path: Path,
        /// The run in whose journal it was found: the current one, or the one that this is restarted from while no worker
        /// has begun with it. The records of any other may not have the operation, and the code not come to it.
        source: u32,
    },
    /// What has ended is not kept any longer: the next [`Command::Expire`] deletes it, once everything it has to say to
    /// others is sent; a child ten minutes later. Refused to what has not ended.
    Delete,
}

/// See [`Command::Claim`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Which claim of its session (and partition) this is, from 1. It is raised with every answer: repeating a number gives
    /// again what it gave, and a late copy of one that is older than what is remembered gives nothing, for nobody would hear
    /// its answer. Remembered is what gave something, and what carried tokens: once it is answered they may be given back,
    /// and a late copy must not spend them.
    pub number: u64,
    /// For which session.
    pub session: SessionId,
    /// At most how many.
    pub limit: usize,
    /// Of which queues.
    pub queues: Arc<[QueueName]>,
    /// Which workflows and versions the worker knows. Others that come up are put on a shelf of their own.
    pub known: Arc<[(WorkflowName, u32)]>,
    /// How many each of the queues is to give first, in their order; what is left of `limit` is given by score. Empty: all by
    /// score.
    pub quotas: Vec<usize>,
    /// What is limited at this worker, each with the tokens it has: of a workflow no more is given than that; of a queue no
    /// more that never began. What is not named here has no limit.
    pub limits: Vec<(LimitName, u32)>,
}

impl Claim {
    /// Whether it has tokens of any limit.
    #[must_use]
    pub fn carries_tokens(&self) -> bool {
        self.limits.iter().any(|(_, tokens)| *tokens > 0)
    }
}

/// Whom an owner's write is from, and what it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The instance.
    pub id: InstanceId,
    /// The session that holds it.
    pub session: SessionId,
    /// The run.
    pub run: u32,
    /// The state version it has seen.
    pub v: u64,
}

/// See [`Command::Own`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnerWrite {
    /// Names this request: repeating it is answered with the first outcome.
    pub request: RequestId,
    /// From whom.
    pub owner: Owner,
    /// What to write.
    pub write: Write,
}

/// What an owner writes in one transition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    /// Records to append, encoded.
    pub records: Vec<Payload>,
    /// Positions of the messages these records consume.
    pub consumed: Vec<u64>,
    /// The newest message the owner has seen; the answer brings those after it.
    pub seen: u64,
    /// Commands to carry out for other instances, sent until acknowledged.
    pub outgoing: Vec<Outgoing>,
    /// How much of the head's shift these records contain, in milliseconds.
    pub shifted_ms: i64,
    /// What comes next.
    pub then: Then,
}

/// What comes after an owner's write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Then {
    /// The owner goes on.
    Hold,
    /// Nothing runs: the instance waits. Refused with `Continue` (the records are kept, the owner still holds it) when
    /// a message came that the owner has not seen, or when `paused` and the pause has been taken back.
    Suspend {
        /// What it waits for.
        waits: Vec<Wait>,
        /// The owner suspends because of a pause, with work it could do otherwise.
        paused: bool,
    },
    /// The run ended.
    Finish(Ending),
    /// The run cannot go on here: it is paused for this reason.
    Park(PauseReason),
    /// The owner hands it back: ready for anyone, at once.
    Release,
    /// The owner survived alone with a suspect for long enough: it is none any more.
    Clear,
    /// The owner is about to try a suspect: from here on a crash counts against it.
    Mark,
    /// The records are those that a forked run keeps of its source; the owner goes on.
    Forked,
}

/// One thing an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wait {
    /// The operation.
    pub path: Path,
    /// The messages that end it.
    pub channel: Option<Channel>,
    /// When its time is up.
    pub due: Option<Timestamp>,
    /// Whether a pause shifts `due`.
    pub shifts: bool,
}

/// A command for another instance, kept with its source until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outgoing {
    /// Create a child.
    CreateChild {
        /// Its id.
        id: InstanceId,
        /// What it is.
        spec: Arc<InstanceSpec>,
    },
    /// Deliver a message to one run of an instance: the end of a child to its parent.
    Deliver {
        /// To whom.
        to: InstanceId,
        /// To which run.
        run: u32,
        /// What.
        message: NewMessage,
    },
    /// Terminate a child because its parent closed.
    Close {
        /// The child.
        child: InstanceId,
        /// Why.
        reason: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ending {
    /// Its output, or its error.
    pub result: Result<Payload, FailureData>,
}

impl Ending {
    /// Whether both are the same end: outputs and errors are compared as values, see [`Payload::is_same_value`].
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.result, &other.result) {
            (Ok(one), Ok(other)) => one.is_same_value(other),
            (Err(one), Err(other)) => one.is_same(other),
            _ => false,
        }
    }
}

/// Why an instance is paused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
#[non_exhaustive]
pub enum PauseReason {
    /// Someone asked for it.
    Operator,
    /// Its code and its journal disagree.
    Divergence(Box<Divergence>),
    /// Workers crashed while it was the one instance they were trying.
    Quarantined {
        /// How many crashes.
        crashes: u8,
    },
    /// Its workflow code panicked.
    Panic {
        /// What the panic said.
        message: String,
    },
    /// Its journal or input cannot be read.
    Unreadable {
        /// What is wrong.
        message: String,
    },
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// To [`Command::Create`].
    Create(CreateReply),
    /// To [`Command::Send`].
    Send(SendReply),
    /// To [`Command::Control`].
    Control(ControlReply),
    /// To [`Command::Lease`].
    Lease(LeaseReply),
    /// To [`Command::Claim`].
    Claim(ClaimReply),
    /// To [`Command::Own`].
    Own(OwnReply),
    /// To [`Command::Fence`]: whether the session is revoked now.
    Fence(bool),
    /// To the others: how many things it did, and when the next timer is due.
    Count {
        /// How many.
        done: usize,
        /// The earliest timer, where the command looks at timers.
        next_due: Option<Timestamp>,
    },
}

/// The answer to a create.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CreateReply {
    /// It exists now.
    Created {
        /// Set when it was handed to the caller's session in the same write.
        claimed: Option<Box<Claimed>>,
    },
    /// Another request made it before.
    Exists {
        /// The workflow it is an instance of.
        workflow: WorkflowName,
        /// Its state.
        state: State,
    },
}

/// The answer to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendReply {
    /// It is in the mailbox, now or since an earlier message of this id.
    Accepted,
    /// There is no such instance (or no longer that run).
    Unknown,
    /// The run has ended.
    Finished,
    /// The mailbox is full: read none, or received too many in this run.
    Full,
}

/// The answer to a control.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ControlReply {
    /// It is done, or for a pause: it will be when the bodies that run have ended. The state it is in now.
    Done(State),
    /// There is no such instance (or no longer that run).
    Unknown,
    /// It makes no sense in this state.
    Refused(State),
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClaimReply {
    /// The instances, at most as many as asked for; and for each instance the session holds already a notice that
    /// something happened to it.
    Given {
        /// The store's time.
        now: Timestamp,
        /// Instances now held by the session.
        instances: Vec<Claimed>,
        /// Instances held by the session for which a message or control came: their owner should look.
        notices: Vec<InstanceId>,
        /// The earliest timer of any sleeping instance.
        next_due: Option<Timestamp>,
        /// Limits of the claim whose tokens did not suffice for what stood before something that was given, or at the end.
        short: Vec<LimitName>,
        /// How many tokens were spent of each limited queue; nothing is said of those of a claim that is repeated.
        started: Vec<(QueueName, u32)>,
        /// Others were faster with some of what it was about to give: whoever asks again at once meets them again.
        raced: bool,
    },
    /// The session is revoked or unknown: the worker needs a new one.
    Fenced,
}

/// An instance that is now held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claimed {
    /// Its id.
    pub id: InstanceId,
    /// Its run.
    pub run: u32,
    /// Its state version.
    pub v: u64,
    /// How many records its journal has.
    pub records: u32,
    /// What it is.
    pub spec: Arc<InstanceSpec>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When this run began.
    pub started_at: Timestamp,
    /// Where this run comes from, if it did not begin at the beginning.
    pub fork: Option<Fork>,
    /// A worker crashed while it held this instance.
    pub suspect: bool,
    /// How long it was paused since its owner last looked, in milliseconds.
    pub shift_ms: i64,
    /// Position of the newest message accepted so far. Those up to it that are not in `granted` were consumed: an owner
    /// has seen all up to here, whatever its records say of it.
    pub arrivals: u64,
    /// Time, control, and every message not consumed.
    pub granted: Granted,
}

impl Claimed {
    /// Takes the answer to a write that was made before anything else.
    pub(crate) fn learn(&mut self, granted: Granted) {
        let mut messages = std::mem::take(&mut self.granted.messages);
        messages.extend(granted.messages);
        self.granted = Granted { messages, ..granted };
    }
}

/// What an owner learns with every answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Granted {
    /// The state version after this write.
    pub v: u64,
    /// The store's time. Every message accepted before it is in `messages` or was seen before.
    pub now: Timestamp,
    /// Whether a pause is asked for.
    pub pause: bool,
    /// Messages after the newest one the owner has seen.
    pub messages: Vec<Message>,
}

/// The answer to an owner's write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnReply {
    /// Done as asked.
    Ok(Granted),
    /// The records are kept, but the owner must go on: see [`Then::Suspend`].
    Continue(Granted),
    /// The session is revoked. Nothing was written.
    Fenced,
    /// Another run, another owner or a newer state version: this owner is out of date. Nothing was written.
    Stale,
    /// The store is older than the owner: it lost acknowledged writes. Nothing was written.
    Behind,
    /// The instance does not exist any more. Nothing was written.
    Gone,
    /// The journal would pass its limits. Nothing was written; only an ending or a park can be.
    Full,
}
