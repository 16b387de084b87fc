//! One run inside the worker that owns it: recorded outcomes and what the code asks for go in, the next thing to do
//! comes out.
//!
//! The workflow's future is polled by someone else ([`crate::authoring`]); this machine only decides. It delivers
//! completions one at a time: first those the journal holds, in its order, then new ones, ordered by the store's time.
//! Live and replayed runs therefore see the same deliveries in the same order, and every race resolves the same way
//! for ever. Nothing is asked of the outside world while records remain.
//!
//! - [`operation`]: the operations the code has asked for, and their phases;
//! - [`replay`]: what the journal holds, and whether the code still matches it;
//! - [`fork`]: what a run keeps that is restarted from one of its operations;
//! - [`mailbox`]: messages and the waits they meet;
//! - [`live`]: what happens once the journal is used up;
//! - [`stream`]: randomness and ids that are the same in every replay;
//! - [`lived`], [`trace`]: what a run that ended and its replay must have in common.

mod bounds;
mod fork;
mod live;
mod lived;
mod mailbox;
mod operation;
mod replay;
mod stream;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::live::{Completion, Held};
pub use self::lived::{Compared, Lived, Stand};
use self::mailbox::Mailbox;
pub use self::operation::ScopeId;
pub use self::operation::{Ask, ChildSpec, OpId, OpName, OpPoll, Running};
use self::operation::{Op, Scope};
use self::replay::Replay;
use self::stream::Answer;
pub use self::trace::{Comparison, Differs, Trace};
use super::command::{Ending, Granted, InstanceSpec, PauseReason, Write};
use super::path::Path;
use super::record::{Outcome, Record};
use crate::words::failure::{FailureData, FailureKind, shorten};
use crate::words::id::{InstanceId, Namespace};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Which run this is, as `info()` shows it.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// The namespace the instance lives in.
    pub namespace: Namespace,
    /// The instance.
    pub id: InstanceId,
    /// The run, from 1.
    pub run: u32,
    /// The run whose random streams it goes on with: its own, unless it was restarted from an operation.
    pub streams: u32,
    /// What the instance is.
    pub spec: Arc<InstanceSpec>,
    /// When the instance was created.
    pub created_at: Timestamp,
    /// When this run began.
    pub started_at: Timestamp,
}

/// What a machine starts from.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// Which run.
    pub info: RunInfo,
    /// How long it was paused since its owner last looked, in milliseconds.
    pub shift_ms: i64,
    /// The bytes of its records.
    pub journal_bytes: u64,
    /// What the store said when it was claimed.
    pub granted: Granted,
    /// Retry delays shorter than this are slept in memory; longer ones are a suspend.
    pub short_delay: Duration,
    /// Whether it is compared with its replay.
    pub compared: Compared,
    /// Whether a result may wait for what the poll leads to that it is delivered in, and travel with that. Else each is
    /// written by itself first.
    pub holds_results: bool,
}

/// The next thing to do for a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This operation's outcome can be taken: wake it, poll the root, ask again.
    Deliver(OpId),
    /// The bodies or blocks of these operations are to start: wake them, poll the root, ask again.
    Run(Vec<OpId>),
    /// This operation's body or block is to be dropped: wake it, poll the root, ask again.
    Cancel(OpId),
    /// To be sent to the store; what was written counts as done. Its answer goes to [`Machine::granted`].
    Write(Write),
    /// Bodies run, or a short delay passes: wait for a body's wake, a notice from the store, or this time.
    Idle {
        /// When to ask again at the latest.
        until: Option<Timestamp>,
    },
}

/// The state machine of one run.
#[derive(Debug)]
pub struct Machine {
    info: RunInfo,
    scopes: Vec<Scope>,
    ops: Vec<Op>,
    /// The newest operation at each path.
    current: HashMap<Path, OpId>,
    /// Operations that have not ended: what a suspended run waits for, and what a divergence names.
    open: BTreeSet<OpId>,
    /// How deep scopes were nested so far, at the deepest.
    deepest: usize,
    /// Outcomes that a new attempt of an enclosing group finds again.
    kept: HashMap<Path, Outcome>,
    /// How many children were started at each path.
    children: HashMap<Path, u32>,
    replay: Replay,
    /// Whether the latest delivery was a new one. What is asked for in a replayed poll has been asked before.
    live: bool,
    /// Asked for, and not yet begun.
    asked: VecDeque<OpId>,
    /// Bodies and blocks that have ended, by time.
    ended_bodies: BinaryHeap<Completion>,
    /// Recorded timers: sleeps, deadlines of waits, time limits of groups.
    timers: BTreeSet<(Timestamp, OpId)>,
    /// When failed attempts are tried again.
    retries: BTreeSet<(Timestamp, OpId)>,
    /// When running bodies are dropped, by the estimate of the store's time.
    limits: BTreeSet<(Timestamp, OpId)>,
    /// Step bodies that are to run next.
    wanting: BTreeSet<OpId>,
    /// Step bodies that run.
    running: usize,
    mailbox: Mailbox,
    held: Held,
    /// Records written so far, held ones included, and their bytes.
    records: u32,
    journal_bytes: u64,
    /// Every record written here, where the run is compared with its replay when it ends.
    written: Option<Vec<Payload>>,
    /// The time of the newest record, recorded or held.
    last_time: Timestamp,
    /// The time of the newest record that was delivered: what `now()` says.
    delivered_time: Timestamp,
    /// The best estimate of the store's time, never later than it: what is due by it is due.
    tick: Timestamp,
    /// The store's time is not later than this: what begins now is due no earlier than counted from it.
    latest: Timestamp,
    /// The store's time up to which every accepted message is known.
    checked_at: Timestamp,
    pause: bool,
    shift_ms: i64,
    short_delay: Duration,
    holds_results: bool,
    /// The answers `changed` has given.
    changes: HashMap<Path, Answer>,
    ended: Option<Ending>,
    /// It ended because it would have passed a limit.
    exceeded: bool,
    parked: Option<PauseReason>,
    /// Set when this machine gave its last write: the run ended or was parked.
    over: bool,
}

impl Machine {
    /// The scope of the workflow function itself.
    pub const ROOT: ScopeId = ScopeId::ROOT;

    /// A machine for a run with these records. The first poll of the future comes before the first [`Self::next`].
    #[must_use]
    pub fn new(start: RunStart, records: Vec<Record>) -> Self {
        let RunStart { info, shift_ms, journal_bytes, granted, short_delay, compared, holds_results } = start;
        let written = (compared == Compared::Run).then(Vec::new);
        let mut machine = Self {
            scopes: vec![Scope::new(Path::root())],
            ops: Vec::new(),
            current: HashMap::new(),
            open: BTreeSet::new(),
            deepest: 0,
            kept: HashMap::new(),
            children: HashMap::new(),
            live: records.is_empty() && !matches!(compared, Compared::Fork { .. }),
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
            journal_bytes,
            written,
            replay: Replay::new(records, compared),
            asked: VecDeque::new(),
            ended_bodies: BinaryHeap::new(),
            timers: BTreeSet::new(),
            retries: BTreeSet::new(),
            limits: BTreeSet::new(),
            wanting: BTreeSet::new(),
            running: 0,
            mailbox: Mailbox::default(),
            held: Held::default(),
            last_time: info.started_at,
            delivered_time: info.started_at,
            tick: granted.now,
            latest: granted.now,
            checked_at: granted.now,
            pause: false,
            shift_ms: 0,
            short_delay,
            holds_results,
            changes: HashMap::new(),
            ended: None,
            exceeded: false,
            parked: None,
            over: false,
            info,
        };
        machine.reclaimed(shift_ms, granted);
        machine
    }

    /// Continues after a suspend in the same memory: the session was given the instance again.
    pub fn reclaimed(&mut self, shift_ms: i64, granted: Granted) {
        self.shift_ms += shift_ms;
        self.granted(granted);
    }

    /// Takes what the store said in answer to a write or a claim.
    pub fn granted(&mut self, granted: Granted) {
        self.tick(granted.now);
        self.checked_at = self.checked_at.max(granted.now);
        self.pause = granted.pause;
        for message in granted.messages {
            self.mailbox.arrive(message);
        }
    }

    /// Sets the best estimate of the store's time. It never goes back.
    pub fn tick(&mut self, now: Timestamp) {
        self.tick = self.tick.max(now);
        self.latest = self.latest.max(self.tick);
    }

    /// Sets the bounds between which the store's time is now.
    pub fn tick_between(&mut self, earliest: Timestamp, latest: Timestamp) {
        self.tick = self.tick.max(earliest);
        self.latest = self.tick.max(latest);
    }

    /// Which run this is.
    #[must_use]
    pub const fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The time of the newest delivery, or of the start of the run: the same in every replay.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.delivered_time
    }

    /// Whether records remain that were not delivered.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        !self.replay.is_over()
    }

    /// The newest message the machine knows.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.mailbox.seen()
    }

    /// The workflow's future returned.
    pub fn root_ended(&mut self, ending: Ending) {
        self.ended.get_or_insert(ending);
    }

    /// The workflow's code panicked: the run parks, its journal as it was.
    pub fn root_panicked(&mut self, message: String) {
        self.park(PauseReason::Panic { message: shorten(message) });
    }

    /// What the journal or the inputs hold cannot be read by this code: the run parks, its journal as it was.
    pub fn unreadable(&mut self, message: String) {
        self.park(PauseReason::Unreadable { message: shorten(message) });
    }

    /// The root was woken by something that is not ours: the workflow awaits something that is not durable.
    pub fn foreign_wake(&mut self) {
        let divergence = self.divergence(
            None,
            "the workflow was woken by something that is not durable; await it inside a `step!`".to_owned(),
        );
        self.park(PauseReason::Divergence(Box::new(divergence)));
    }

    fn park(&mut self, reason: PauseReason) {
        self.parked.get_or_insert(reason);
    }

    /// Ends the run because it would pass a limit. The rest of its code does not run.
    fn exceed(&mut self, message: String) {
        self.exceeded |= self.ended.is_none();
        let failure = FailureData::new(FailureKind::Failed, LIMIT_EXCEEDED, message);
        self.root_ended(Ending { result: Err(FailureData { fatal: true, ..failure }) });
    }
}

/// The class of the error that ends a run which would pass a limit.
pub const LIMIT_EXCEEDED: &str = "workflow::LimitExceeded";
