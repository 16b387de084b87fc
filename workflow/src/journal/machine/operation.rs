//! The operations a run's code has asked for, the scopes they stand in, and their phases.

use std::collections::HashMap;
use std::time::Duration;

use super::Machine;
use crate::journal::command::ParentClose;
use crate::journal::message::Channel;
use crate::journal::path::{Kind, Path};
use crate::journal::record::Outcome;
use crate::words::failure::FailureData;
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::location::Location;
use crate::words::payload::Payload;
use crate::words::retry::RetryPolicy;
use crate::words::time::Timestamp;

/// Names one operation of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpId(u32);

/// Names one scope of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(u32);

impl ScopeId {
    /// The workflow function itself.
    pub const ROOT: Self = Self(0);

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl OpId {
    /// Its place in the order of asking, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the code calls an operation.
#[derive(Debug, Clone, Copy)]
pub struct OpName<'a> {
    /// What kind of operation.
    pub kind: Kind,
    /// Its name; empty for an unnamed sleep.
    pub name: &'a str,
    /// Its key.
    pub key: Option<&'a str>,
    /// Where it stands in the source.
    pub at: Location,
}

/// What an operation is to do.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Run a body once, recording its result.
    Step {
        /// When it is tried again.
        policy: RetryPolicy,
        /// How long one attempt may take.
        timeout: Option<Duration>,
    },
    /// Run a block of operations, recording its result.
    Group {
        /// When it is tried again.
        policy: RetryPolicy,
        /// How long one attempt may take.
        timeout: Option<Duration>,
    },
    /// Wait for a while. Pauses lengthen it.
    SleepFor(Duration),
    /// Wait until a moment. Pauses do not move it.
    SleepUntil(Timestamp),
    /// Wait for a message.
    Wait {
        /// Of which channel.
        channel: Channel,
        /// How long at most.
        timeout: Option<Duration>,
        /// Whether the code can read it; the error says why not.
        readable: fn(&Payload) -> Result<(), String>,
    },
    /// Run another workflow and wait for its end.
    Child(ChildSpec),
}

/// A child to be created.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: u32,
    /// Its queue.
    pub queue: QueueName,
    /// Its encoded inputs.
    pub input: Payload,
    /// How long it is kept when it completed; `None`: as long as its parent would be.
    pub keep_complete: Option<Duration>,
    /// How long it is kept when it failed or was terminated; `None`: as long as its parent would be.
    pub keep_failed: Option<Duration>,
    /// What becomes of it when this run ends before it does.
    pub on_close: ParentClose,
}

/// What an operation's future learns when it asks.
#[derive(Debug, Clone, PartialEq)]
pub enum OpPoll {
    /// It has not ended.
    Pending {
        /// The attempt whose body or block is to be running now; `None`: none is, and one that runs is to be dropped.
        attempt: Option<u32>,
    },
    /// It has ended. Said once.
    Ready(Outcome),
}

/// A step body that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The step.
    pub path: Path,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it began, by the estimate of the store's time.
    pub since: Timestamp,
}

/// A scope: the workflow, a part, or one attempt of a group.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) path: Path,
    depth: usize,
    /// How often each name and key was asked for.
    occurrences: HashMap<Path, u32>,
    /// How many draws its random stream has given.
    pub(super) draws: u64,
}

impl Scope {
    pub(super) fn new(path: Path) -> Self {
        // The workflow's own is at none.
        let depth = path.enclosing().count() + usize::from(path != Path::root());
        Self { path, depth, occurrences: HashMap::new(), draws: 0 }
    }

    fn place(&mut self, kind: Kind, name: &str, key: Option<&str>) -> Path {
        let first = self.path.join(kind, name, key, 0);
        let count = self.occurrences.entry(first.clone()).or_insert(0);
        let occurrence = *count;
        *count += 1;
        if occurrence == 0 { first } else { self.path.join(kind, name, key, occurrence) }
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Asked for, nothing done yet.
    Asked,
    /// A timer runs, a wait stands, a child exists; or a finished group waits for its record.
    Open,
    /// Its body or block runs.
    Running,
    /// Its body or block ended like this, not yet recorded.
    Ended(Result<Payload, FailureData>),
    /// Its attempt failed; it waits for the next.
    Retrying,
    /// Its outcome can be taken.
    Ready(Outcome),
    /// Its outcome was taken.
    Taken,
    /// Its future was dropped first.
    Dropped,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) path: Path,
    pub(super) at: Location,
    pub(super) ask: Ask,
    pub(super) phase: Phase,
    /// Attempts that failed.
    pub(super) failed: u32,
    /// The timer that runs, and whether a pause shifts it.
    pub(super) due: Option<(Timestamp, bool)>,
    /// When its next attempt is due.
    pub(super) retry_at: Option<Timestamp>,
    /// When its running body is dropped.
    pub(super) limit_at: Option<Timestamp>,
    /// When its running body began.
    pub(super) since: Option<Timestamp>,
    /// How late its timer was, by the estimate of the store's time; known once that has fired.
    pub(super) late: Option<Duration>,
    /// How often a child was asked for at this path before.
    pub(super) turn: u32,
    /// The child it created or will create.
    pub(super) child: Option<InstanceId>,
    /// The child's creation is recorded.
    pub(super) started: bool,
    /// A group whose end the journal holds: its block does not run.
    pub(super) collapsed: bool,
    /// How it ended, in a word, from the moment its outcome can be taken.
    pub(super) outcome: Option<&'static str>,
}

impl Op {
    pub(super) const fn attempt(&self) -> u32 {
        self.failed + 1
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ready(_) | Phase::Taken | Phase::Dropped)
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        match &self.ask {
            Ask::Wait { channel, .. } => Some(channel.clone()),
            Ask::Child(_) => self.child.as_ref().map(Channel::child),
            _ => None,
        }
    }

    pub(super) const fn is_group(&self) -> bool {
        matches!(self.ask, Ask::Group { .. })
    }

    pub(super) const fn policy(&self) -> Option<&RetryPolicy> {
        match &self.ask {
            Ask::Step { policy, .. } | Ask::Group { policy, .. } => Some(policy),
            _ => None,
        }
    }

    pub(super) const fn timeout(&self) -> Option<Duration> {
        match &self.ask {
            Ask::Step { timeout, .. } | Ask::Group { timeout, .. } | Ask::Wait { timeout, .. } => *timeout,
            _ => None,
        }
    }
}

impl Machine {
    pub(super) fn op(&self, id: OpId) -> &Op {
        &self.ops[id.index()]
    }

    pub(super) fn op_mut(&mut self, id: OpId) -> &mut Op {
        &mut self.ops[id.index()]
    }

    /// Opens the scope of a `#[part]`.
    pub fn open_part(&mut self, parent: ScopeId, name: &str, key: Option<&str>) -> ScopeId {
        self.check_key(Kind::Part.word(), name, key, &"");
        let path = self.scopes[parent.index()].place(Kind::Part, name, key);
        self.open_scope(path)
    }

    /// A new scope for the attempt of a group that begins now: its counters and streams start anew.
    pub fn group_scope(&mut self, op: OpId) -> ScopeId {
        let path = self.op(op).path.clone();
        self.open_scope(path)
    }

    fn open_scope(&mut self, path: Path) -> ScopeId {
        let id = ScopeId(u32::try_from(self.scopes.len()).expect("scopes are bounded by operations"));
        let scope = Scope::new(path);
        self.check_depth(scope.depth, &scope.path);
        self.scopes.push(scope);
        id
    }

    /// The code asks for an operation: its place in the scope is fixed now.
    pub fn ask(&mut self, scope: ScopeId, name: OpName<'_>, ask: Ask) -> OpId {
        let path = self.scopes[scope.index()].place(name.kind, name.name, name.key);
        self.check_asked(name, &ask, &path);
        let id = OpId(u32::try_from(self.ops.len()).expect("operations are bounded by records and branches"));
        let mut op = Op {
            at: name.at,
            phase: Phase::Asked,
            failed: 0,
            due: None,
            child: None,
            turn: 0,
            retry_at: None,
            limit_at: None,
            since: None,
            late: None,
            started: false,
            collapsed: false,
            outcome: None,
            path,
            ask,
        };
        if let Ask::Child(_) = op.ask {
            // A child that failed in an earlier attempt of its group is followed by another, with an id of its own.
            op.turn = self.children.get(&op.path).copied().unwrap_or(0);
            let (parent, seed, run) = (&self.info.id, self.info.spec.seed, self.info.run);
            op.child = Some(InstanceId::of_child(parent, seed, run, op.path.as_str(), op.turn));
        }
        if let Some(outcome) = self.kept.get(&op.path) {
            // An enclosing group is tried again, and this had succeeded.
            op.outcome = Some(outcome.word());
            op.phase = Phase::Ready(outcome.clone());
        } else if op.is_group() {
            op.collapsed = self.replay.group_ends_ahead(&op.path);
            op.phase = if op.collapsed { Phase::Open } else { Phase::Running };
        }
        let over = op.is_over();
        if let (false, Some(channel)) = (over, op.channel()) {
            self.mailbox.wait(&channel, id);
        }
        self.current.insert(op.path.clone(), id);
        self.ops.push(op);
        if !over {
            self.open.insert(id);
            self.asked.push_back(id);
            self.check_width();
        }
        id
    }

    /// Where an operation stands in the structure of the workflow.
    #[must_use]
    pub fn path(&self, id: OpId) -> &Path {
        &self.op(id).path
    }

    /// How late the timer of an operation was that it ended; `None` when none did, or long ago.
    #[must_use]
    pub fn lateness(&self, id: OpId) -> Option<Duration> {
        self.op(id).late
    }

    /// The step bodies that run, in the order in which they were asked for.
    #[must_use]
    pub fn running(&self) -> Vec<Running> {
        let runs = |op: &&Op| op.phase == Phase::Running && !op.is_group();
        let running = |op: &Op| Some(Running { path: op.path.clone(), attempt: op.attempt(), since: op.since? });
        self.open.iter().map(|id| self.op(*id)).filter(runs).filter_map(running).collect()
    }

    /// Where an operation stands, for its future. An outcome is given once.
    pub fn poll(&mut self, id: OpId) -> OpPoll {
        let op = self.op_mut(id);
        match std::mem::replace(&mut op.phase, Phase::Taken) {
            Phase::Ready(outcome) => OpPoll::Ready(outcome),
            phase => {
                let attempt = (phase == Phase::Running).then(|| op.attempt());
                op.phase = phase;
                OpPoll::Pending { attempt }
            }
        }
    }

    /// The future of an operation was dropped. Nothing of it is left behind.
    pub fn drop_op(&mut self, id: OpId) {
        if matches!(self.op(id).phase, Phase::Taken | Phase::Dropped) {
            return;
        }
        self.close(id);
        let live = self.live;
        let op = self.op_mut(id);
        op.phase = Phase::Dropped;
        // A replayed drop told the child before: the command was written with the record that led to the drop.
        if let (true, true, Some(child)) = (live, op.started, op.child.clone()) {
            self.held.close_child(child);
        }
    }

    /// Takes an operation out of everything that could still happen to it.
    pub(super) fn close(&mut self, id: OpId) {
        self.open.remove(&id);
        self.clear_timer(id);
        self.clear_retry(id);
        self.clear_limit(id);
        self.wanting.remove(&id);
        if let Some(channel) = self.op(id).channel() {
            self.mailbox.leave(&channel, id);
        }
        if self.op(id).phase == Phase::Running && !self.op(id).is_group() {
            self.running -= 1;
        }
    }

    pub(super) fn set_timer(&mut self, id: OpId, due: Timestamp, shifts: bool) {
        self.op_mut(id).due = Some((due, shifts));
        self.timers.insert((due, id));
    }

    pub(super) fn clear_retry(&mut self, id: OpId) {
        if let Some(due) = self.op_mut(id).retry_at.take() {
            self.retries.remove(&(due, id));
        }
    }

    pub(super) fn clear_limit(&mut self, id: OpId) {
        if let Some(due) = self.op_mut(id).limit_at.take() {
            self.limits.remove(&(due, id));
        }
    }

    pub(super) fn clear_timer(&mut self, id: OpId) {
        if let Some((due, _)) = self.op_mut(id).due.take() {
            self.timers.remove(&(due, id));
        }
    }
}
