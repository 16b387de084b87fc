//! Wakers: which bodies of a run were woken, and whether its root was woken by something that is not ours.
//!
//! Every step body is polled with a waker of its own, so a wake says which one it is for. The workflow's own code is
//! polled with the root waker (or one of a join's or race's, which lead to it). Nothing durable ever wakes that: only
//! the driver does, marked. Any other wake of it means that the workflow awaits something foreign.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::journal::machine::OpId;

/// The wakes of one run, shared by its driver and all its wakers.
#[derive(Debug, Default)]
pub(super) struct Signals {
    state: Mutex<State>,
    /// Bodies that run now.
    bodies: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// Operations whose bodies were woken, in that order.
    woken: Vec<OpId>,
    foreign: bool,
    /// The task that drives the run.
    driver: Option<Waker>,
}

thread_local! {
    /// The signals whose driver is waking operations on this thread now, by address; 0 for none. A wake of the root
    /// under this mark is ours. An address is only compared, never followed.
    static WAKING: Cell<usize> = const { Cell::new(0) };
}

impl Signals {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere leaves nothing half done in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }

    /// Wakes an operation's task on behalf of the driver.
    pub(super) fn wake_as_ours(self: &Arc<Self>, waker: &Waker) {
        let before = WAKING.replace(self.address());
        waker.wake_by_ref();
        WAKING.set(before);
    }

    pub(super) fn take_woken(&self) -> Vec<OpId> {
        std::mem::take(&mut self.state().woken)
    }

    pub(super) fn has_woken(&self) -> bool {
        !self.state().woken.is_empty()
    }

    pub(super) fn take_foreign(&self) -> bool {
        std::mem::take(&mut self.state().foreign)
    }

    /// Ready when a body (or something foreign) was woken; else the driver is woken when one is.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.woken.is_empty() || state.foreign {
            return Poll::Ready(());
        }
        match &mut state.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(super) fn bodies(&self) -> usize {
        self.bodies.load(Ordering::Acquire)
    }

    pub(super) fn body_began(&self) {
        self.bodies.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn body_ended(&self) {
        self.bodies.fetch_sub(1, Ordering::AcqRel);
    }

    fn signal(&self, change: impl FnOnce(&mut State)) {
        let driver = {
            let mut state = self.state();
            change(&mut state);
            state.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// The waker of one body.
#[derive(Debug)]
pub(super) struct BodyWake {
    signals: Arc<Signals>,
    op: OpId,
    /// Woken since it was last polled.
    woken: AtomicBool,
}

impl BodyWake {
    /// Woken from the beginning: a new body is to be polled.
    pub(super) fn new(signals: Arc<Signals>, op: OpId) -> Arc<Self> {
        Arc::new(Self { signals, op, woken: AtomicBool::new(true) })
    }

    pub(super) fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for BodyWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.signals.signal(|state| state.woken.push(self.op));
        }
    }
}

/// The waker of a workflow's own code.
#[derive(Debug)]
pub(super) struct RootWake(pub(super) Arc<Signals>);

impl Wake for RootWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if WAKING.get() != self.0.address() {
            self.0.signal(|state| state.foreign = true);
        }
    }
}
