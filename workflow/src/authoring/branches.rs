//! Branches: several durable operations polled as one, each with a waker of its own.
//!
//! Only branches that are new or were woken are polled, in written order, so that what wakes first live wakes first in
//! every replay, and a join of ten thousand branches costs as much as each of them once.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What polling a branch led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It goes on.
    Pending,
    /// It ended, and the others go on.
    Ended,
    /// It ended, and with it all of them.
    Last,
}

/// The branches of one join, race or timeout: which of them to poll. The branches themselves are with the caller.
#[derive(Debug)]
pub(super) struct Branches {
    shared: Arc<Shared>,
    wakers: Vec<Waker>,
    open: usize,
}

#[derive(Debug)]
struct Shared(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Branches to poll, in the order they were woken.
    woken: Vec<usize>,
    /// Whether each is in `woken`.
    queued: Vec<bool>,
    /// The task that polls them all.
    parent: Option<Waker>,
}

impl Branches {
    /// `count` new branches.
    pub(super) fn new(count: usize) -> Self {
        let state = State { woken: (0..count).collect(), queued: vec![true; count], parent: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let wakers = (0..count).map(|index| Waker::from(Arc::new(BranchWake { index, shared: shared.clone() })));
        Self { wakers: wakers.collect(), shared, open: count }
    }

    /// Until all have ended, `None`, or one of them ended it for all, its index.
    pub(super) async fn drive(
        &mut self,
        mut poll: impl FnMut(usize, &mut Context<'_>) -> Turn + Send,
    ) -> Option<usize> {
        std::future::poll_fn(|task| self.poll(task, &mut poll)).await
    }

    /// Until all have ended.
    pub(super) async fn all(&mut self, mut poll: impl FnMut(usize, &mut Context<'_>) -> Poll<()> + Send) {
        self.drive(|index, task| if poll(index, task).is_ready() { Turn::Ended } else { Turn::Pending }).await;
    }

    /// Until the first ends: its index.
    ///
    /// # Panics
    /// When there are no branches: none could ever end.
    pub(super) async fn any(&mut self, mut poll: impl FnMut(usize, &mut Context<'_>) -> Poll<()> + Send) -> usize {
        self.drive(|index, task| if poll(index, task).is_ready() { Turn::Last } else { Turn::Pending })
            .await
            .expect("a race has branches, and the first that ends ends it")
    }

    fn poll(
        &mut self,
        task: &mut Context<'_>,
        poll_branch: &mut dyn FnMut(usize, &mut Context<'_>) -> Turn,
    ) -> Poll<Option<usize>> {
        for index in self.shared.take_woken(task.waker()) {
            match poll_branch(index, &mut Context::from_waker(&self.wakers[index])) {
                Turn::Pending => {}
                Turn::Ended => self.open -= 1,
                Turn::Last => return Poll::Ready(Some(index)),
            }
        }
        if self.open == 0 { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The branches to poll, in written order. The next wake goes to `parent`.
    fn take_woken(&self, parent: &Waker) -> Vec<usize> {
        let mut state = self.state();
        match &mut state.parent {
            Some(known) => known.clone_from(parent),
            none => *none = Some(parent.clone()),
        }
        let mut woken = std::mem::take(&mut state.woken);
        woken.sort_unstable();
        for index in &woken {
            state.queued[*index] = false;
        }
        woken
    }

    fn wake(&self, index: usize) {
        let parent = {
            let mut state = self.state();
            if std::mem::replace(&mut state.queued[index], true) {
                return;
            }
            state.woken.push(index);
            state.parent.clone()
        };
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

#[derive(Debug)]
struct BranchWake {
    index: usize,
    shared: Arc<Shared>,
}

impl Wake for BranchWake {
    fn wake(self: Arc<Self>) {
        self.shared.wake(self.index);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.wake(self.index);
    }
}

/// One branch: its future until it ends, then its output.
pub(super) struct Branch<F: Future> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
}

impl<F: Future> Branch<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)), output: None }
    }

    /// Polls it. Once ended it stays ready, and its future is gone.
    pub(super) fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if let Some(future) = &mut self.future {
            let Poll::Ready(output) = future.as_mut().poll(task) else { return Poll::Pending };
            self.output = Some(output);
            self.future = None;
        }
        Poll::Ready(())
    }

    pub(super) const fn output(&self) -> Option<&F::Output> {
        self.output.as_ref()
    }

    /// What it gave.
    ///
    /// # Panics
    /// When it has not ended, or this was asked before.
    pub(super) fn take(&mut self) -> F::Output {
        self.output.take().expect("the output of a branch is taken once, after it has ended")
    }
}
