//! One run being driven: its future, polled exactly when its state machine says so.
//!
//! Owns the workflow's future and every body in it, and knows no store, clock or executor: whoever drives it (the
//! engine, the test kit) passes the time in, carries writes out, and waits. Dropping it drops every body at once.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::attempt::panic_message;
use super::context::Ctx;
use super::run::{Run, StandIn};
use super::signals::RootWake;
use crate::definition::{Ended, InputError, Inputs, Registration, Resources, RunFuture, Start};
use crate::journal::command::{Granted, Then, Write};
use crate::journal::machine::{Machine, Next, RunInfo, RunStart};
use crate::journal::record::Record;
use crate::words::time::Timestamp;

/// The future of one run and the machine that says what it does next.
pub(crate) struct RunTask {
    run: Arc<Run>,
    /// Gone when it has returned, panicked or could not be made.
    root: Option<RunFuture>,
    root_waker: Waker,
    /// Bodies were woken while the run was driven: the executor gets its turn before they are polled again.
    must_yield: bool,
}

/// What the driver of a run is to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this to the store, and pass its answer to [`RunTask::granted`]. After a write that ends, parks, suspends or
    /// releases the run, drop the task; or keep a suspended one, and pass the next claim to [`RunTask::reclaimed`].
    Write(Write),
    /// Bodies run, or a short delay passes: wait for [`RunTask::poll_woken`], a notice from the store, or this time.
    Idle {
        /// When to advance again at the latest.
        until: Option<Timestamp>,
    },
}

impl RunTask {
    /// A run with these records, of which nothing has been polled yet. When its inputs or resources do not fit its
    /// code, it parks at its first [`Self::advance`].
    pub(crate) fn new(
        start: RunStart,
        records: Vec<Record>,
        registration: &Registration,
        resources: Resources,
        stand_in: Option<Arc<dyn StandIn>>,
    ) -> Self {
        let input = start.info.spec.input.clone();
        let run = Run::new(Machine::new(start, records), stand_in);
        let root_waker = Waker::from(Arc::new(RootWake(run.signals.clone())));
        let cx = Ctx::root(run.clone());
        let begin = || {
            let inputs = Inputs::decode(&input)?;
            (registration.start)(Start { cx, inputs, resources })
        };
        // Reading inputs runs code of the user's types.
        let begun = catch_unwind(AssertUnwindSafe(begin));
        let mut task = Self { run, root: None, root_waker, must_yield: false };
        match begun {
            Ok(Ok(root)) => {
                task.root = Some(root);
                task.poll_root();
            }
            Ok(Err(error)) => task.refuse(&error),
            Err(panic) => task.refuse(&InputError::Damaged { message: panic_message(&*panic).to_owned() }),
        }
        task
    }

    fn refuse(&self, error: &InputError) {
        let info = &self.run.info;
        let message = format!("`{}` of {} cannot start: {error}", info.spec.workflow, info.id);
        self.run.machine(|machine| machine.unreadable(message));
    }

    /// Does everything that can be done at this time (the store's), up to the next thing that needs the outside.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Action {
        self.advance_by(|| (now, now))
    }

    /// As [`Self::advance`], by a clock that goes on meanwhile and tells between which two times the store's is.
    pub(crate) fn advance_by(&mut self, clock: impl Fn() -> (Timestamp, Timestamp)) -> Action {
        self.poll_bodies(clock().0);
        let action = self.follow_machine(&clock);
        self.must_yield = self.run.signals.has_woken();
        action
    }

    /// Polls the bodies that were woken, and nothing else: they go on while a write is on its way.
    pub(crate) fn poll_bodies(&mut self, now: Timestamp) {
        self.run.machine(|machine| machine.tick(now));
        let woken = self.run.signals.take_woken();
        if !woken.is_empty() {
            woken.into_iter().for_each(|op| self.run.wake(op));
            self.poll_root();
        }
        self.must_yield = self.run.signals.has_woken();
    }

    /// The newest message that is known of: what a write says it has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.run.machine(|machine| machine.seen())
    }

    fn follow_machine(&mut self, clock: &dyn Fn() -> (Timestamp, Timestamp)) -> Action {
        loop {
            if self.run.signals.take_foreign() && self.root.is_some() {
                self.run.machine(Machine::foreign_wake);
            }
            // Anew after each poll: a body may have held the thread, and what begins now begins after it.
            let (earliest, latest) = clock();
            let next = self.run.machine(|machine| {
                machine.tick_between(earliest, latest);
                machine.next()
            });
            match next {
                Next::Deliver(op) | Next::Cancel(op) => self.run.wake(op),
                Next::Run(ops) => ops.into_iter().for_each(|op| self.run.wake(op)),
                Next::Write(write) => return Action::Write(write),
                Next::Idle { until } => return Action::Idle { until },
            }
            self.poll_root();
        }
    }

    /// Takes the records of the journal and nothing after them; what the machine wants to write, if it parks.
    #[cfg(test)]
    pub(crate) fn replay(&mut self) -> Option<Write> {
        while let Some(next) = self.run.machine(Machine::next_recorded) {
            match next {
                Next::Deliver(op) | Next::Cancel(op) => self.run.wake(op),
                Next::Run(ops) => ops.into_iter().for_each(|op| self.run.wake(op)),
                Next::Write(write) => return Some(write),
                Next::Idle { .. } => return None,
            }
            self.poll_root();
        }
        None
    }

    fn poll_root(&mut self) {
        let Some(root) = &mut self.root else { return };
        let mut cx = Context::from_waker(&self.root_waker);
        match catch_unwind(AssertUnwindSafe(|| root.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(Ended(ending))) => {
                self.root = None;
                self.run.machine(|machine| machine.root_ended(ending));
            }
            Err(panic) => {
                let message = panic_message(&*panic).to_owned();
                self.drop_root();
                self.run.machine(|machine| machine.root_panicked(message));
            }
        }
    }

    /// A write of nothing, whose answer brings what happened outside: for a notice of the store.
    pub(crate) fn look(&self) -> Write {
        Write {
            records: Vec::new(),
            consumed: Vec::new(),
            seen: self.seen(),
            outgoing: Vec::new(),
            shifted_ms: 0,
            then: Then::Hold,
        }
    }

    /// Takes the store's answer to a write.
    pub(crate) fn granted(&self, granted: Granted) {
        self.run.machine(|machine| machine.granted(granted));
    }

    /// Continues after a suspend: the session was given the instance again, and nobody else had it in between.
    pub(crate) fn reclaimed(&self, shift_ms: i64, granted: Granted) {
        self.run.machine(|machine| machine.reclaimed(shift_ms, granted));
    }

    /// Ready when a body was woken: [`Self::advance`] polls it. A body that wakes itself lets the executor go first.
    pub(crate) fn poll_woken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let woken = self.run.signals.poll(cx);
        if woken.is_ready() && std::mem::take(&mut self.must_yield) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        woken
    }

    /// Step bodies that run now, those that a test has told never to end not counted.
    pub(crate) fn bodies(&self) -> usize {
        self.run.signals.bodies()
    }

    /// Which run this is.
    pub(crate) fn info(&self) -> &RunInfo {
        &self.run.info
    }

    fn drop_root(&mut self) {
        self.run.close();
        let root = self.root.take();
        // What the workflow holds may panic when it is dropped; the run is given up either way.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(root))) {
            warn_of_drop(&*panic);
        }
    }
}

fn warn_of_drop(panic: &(dyn Any + Send)) {
    tracing::warn!(message = panic_message(panic), "a workflow panicked while it was dropped");
}

impl Drop for RunTask {
    fn drop(&mut self) {
        self.drop_root();
    }
}

impl fmt::Debug for RunTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunTask").field("info", self.info()).finish_non_exhaustive()
    }
}
