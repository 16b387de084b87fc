//! One run as its operations see it: the state machine behind a lock, and the tasks that wait for its outcomes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::observed::{Measured, Spans};
use super::signals::Signals;
use crate::journal::machine::{Machine, OpId, OpPoll, RunInfo};
use crate::journal::path::Path;
use crate::words::failure::FailureData;
use crate::words::id::InstanceId;
use crate::words::payload::Payload;
use crate::words::time::{Clock, ManualClock, Timestamp};

/// What the contexts of a run share with its driver.
pub(crate) struct Run {
    core: Mutex<Core>,
    pub(super) signals: Arc<Signals>,
    /// As the machine has it; here it is read without the lock.
    pub(super) info: RunInfo,
    /// What answers instead of bodies, in tests.
    pub(super) stand_in: Option<Arc<dyn StandIn>>,
    clock: Arc<dyn StoreClock>,
    pub(super) spans: Spans,
    /// What was measured since the driver last asked.
    measured: Mutex<Vec<Measured>>,
}

struct Core {
    machine: Machine,
    /// The task of each operation that waits, by its index.
    tasks: Vec<Option<Waker>>,
    /// The future is being dropped: its operations are not dropped by the code.
    closed: bool,
}

/// What the driver of a run knows of the store's time.
pub(crate) trait StoreClock: Send + Sync {
    /// The store's time is now between these two.
    fn bounds(&self) -> (Timestamp, Timestamp);

    /// A time that only grows, where what bodies do is measured; none where nobody asks for it.
    fn stopwatch(&self) -> Option<Duration> {
        None
    }
}

/// Virtual time is known exactly.
impl StoreClock for ManualClock {
    fn bounds(&self) -> (Timestamp, Timestamp) {
        (self.now(), self.now())
    }
}

/// Answers instead of step bodies, in tests.
pub(crate) trait StandIn: Send + Sync {
    /// What answers an attempt; `None` for the step's own body.
    fn body(&self, attempt: &Attempt<'_>) -> Option<Answer>;

    /// Whether all that the code does was done before, so that nothing of it is said again.
    fn repeats(&self) -> bool {
        false
    }
}

/// An attempt of a step that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) instance: &'a InstanceId,
    pub(crate) name: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) path: &'a Path,
    /// From 1.
    pub(crate) number: u32,
}

/// What a stand-in does.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It ends at once.
    End(Result<Payload, FailureData>),
    /// It never ends.
    Never,
}

impl Run {
    pub(super) fn new(machine: Machine, stand_in: Option<Arc<dyn StandIn>>, clock: Arc<dyn StoreClock>) -> Arc<Self> {
        let info = machine.info().clone();
        let core = Mutex::new(Core { machine, tasks: Vec::new(), closed: false });
        let (signals, spans, measured) = (Arc::default(), Spans::default(), Mutex::default());
        Arc::new(Self { core, signals, info, stand_in, clock, spans, measured })
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        // The machine runs no code of the user but `readable`, which catches its panics, so it is whole.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the machine.
    pub(super) fn machine<T>(&self, call: impl FnOnce(&mut Machine) -> T) -> T {
        call(&mut self.core().machine)
    }

    /// Tells the machine the store's time.
    pub(super) fn tick(&self) {
        let (earliest, latest) = self.clock.bounds();
        self.machine(|machine| machine.tick_between(earliest, latest));
    }

    /// The driver's stopwatch, where it measures.
    pub(super) fn stopwatch(&self) -> Option<Duration> {
        self.clock.stopwatch()
    }

    /// Keeps what was measured until the driver asks for it.
    pub(super) fn note(&self, measured: Measured) {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).push(measured);
    }

    /// What was measured since this was last asked.
    pub(super) fn take_measured(&self) -> Vec<Measured> {
        std::mem::take(&mut self.measured.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where an operation stands. While it is pending, `task` is woken when there is something to do for it.
    pub(super) fn poll(&self, op: OpId, task: &Waker) -> OpPoll {
        let mut core = self.core();
        let poll = core.machine.poll(op);
        let index = op.index();
        if core.tasks.len() <= index {
            core.tasks.resize(index + 1, None);
        }
        match (&poll, &mut core.tasks[index]) {
            (OpPoll::Ready(_), slot) => *slot = None,
            (OpPoll::Pending { .. }, Some(known)) => known.clone_from(task),
            (OpPoll::Pending { .. }, slot) => *slot = Some(task.clone()),
        }
        poll
    }

    /// The future of an operation is dropped before its outcome was taken.
    pub(super) fn drop_op(&self, op: OpId) {
        let mut core = self.core();
        if core.closed {
            return;
        }
        core.machine.drop_op(op);
        if let Some(slot) = core.tasks.get_mut(op.index()) {
            *slot = None;
        }
    }

    /// Wakes the task of an operation, on behalf of the driver.
    pub(super) fn wake(&self, op: OpId) {
        let task = self.core().tasks.get(op.index()).and_then(Clone::clone);
        if let Some(task) = task {
            self.signals.wake_as_ours(&task);
        }
    }

    /// Wakes the task of some operation, ready or not, if there is one of this number.
    #[cfg(test)]
    pub(super) fn wake_at(&self, index: usize) {
        let task = self.core().tasks.get(index).and_then(Clone::clone);
        if let Some(task) = task {
            self.signals.wake_as_ours(&task);
        }
    }

    /// From now on operations are dropped because their memory is given up, not by the workflow's code.
    pub(super) fn close(&self) {
        let mut core = self.core();
        core.closed = true;
        core.tasks.clear();
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("info", &self.info).finish_non_exhaustive()
    }
}
