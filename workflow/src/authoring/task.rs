//! One run being driven: its future, polled exactly when its state machine says so.
//!
//! Owns the workflow's future and every body in it, and knows no store or executor: whoever drives it (the engine, the
//! test kit) tells what is known of the store's time, carries writes out, and waits. Dropping it drops every body at once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use super::attempt::panic_message;
use super::context::Ctx;
use super::log;
use super::observed::Measured;
use super::run::{Run, StandIn, StoreClock};
use super::signals::RootWake;
use crate::definition::{Ended, InputError, Inputs, Registration, Resources, RunFuture, Start};
use crate::journal::command::{Granted, PauseReason, Then, Wait, Write};
use crate::journal::divergence::Divergence;
use crate::journal::machine::{Lived, Machine, Next, OpId, RunInfo, RunStart, Running, Stand, Trace};
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
        clock: Arc<dyn StoreClock>,
    ) -> Self {
        let input = start.info.spec.input.clone();
        let run = Run::new(Machine::new(start, records), stand_in, clock);
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

    /// Does everything that can be done now, up to the next thing that needs the outside.
    pub(crate) fn advance(&mut self) -> Action {
        self.poll_bodies();
        let action = self.follow_machine();
        self.must_yield = self.run.signals.has_woken();
        action
    }

    /// Polls the bodies that were woken, and nothing else: they go on while a write is on its way.
    pub(crate) fn poll_bodies(&mut self) {
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

    /// How many operations are open, and how deep groups and parts were nested so far.
    pub(crate) fn extent(&self) -> (usize, usize) {
        self.run.machine(|machine| (machine.open_operations(), machine.depth()))
    }

    fn follow_machine(&mut self) -> Action {
        loop {
            self.heed_foreign_wake();
            // Anew after each poll: a body may have held the thread, and what begins now begins after it.
            self.run.tick();
            if let Some(action) = self.follow(self.run.machine(Machine::next)) {
                return action;
            }
        }
    }

    /// Does the next thing within the run; `Some` is for the driver to do.
    fn follow(&mut self, next: Next) -> Option<Action> {
        match next {
            Next::Deliver(op) => {
                self.measure_timer(op);
                self.run.wake(op);
            }
            Next::Cancel(op) => self.run.wake(op),
            Next::Run(ops) => ops.into_iter().for_each(|op| self.run.wake(op)),
            Next::Write(write) => return Some(Action::Write(write)),
            Next::Idle { until } => return Some(Action::Idle { until }),
        }
        self.poll_root();
        None
    }

    fn measure_timer(&self, op: OpId) {
        if self.run.stopwatch().is_some()
            && let Some(late) = self.run.machine(|machine| machine.lateness(op))
        {
            self.run.note(Measured::Timer { late });
        }
    }

    /// What was measured since this was last asked.
    pub(crate) fn measured(&self) -> Vec<Measured> {
        self.run.take_measured()
    }

    /// The run stops running here, though its memory may be kept: what is open of its spans closes.
    pub(crate) fn leave(&self) {
        self.run.spans.leave();
    }

    /// A look at the run for others, while its driver has it.
    pub(crate) fn peek(&self) -> Peek {
        Peek(Arc::downgrade(&self.run))
    }

    fn heed_foreign_wake(&self) {
        if self.run.signals.take_foreign() && self.root.is_some() {
            self.run.machine(Machine::foreign_wake);
        }
    }

    /// Takes the records of the journal and nothing after them: no body starts. Where the run stands then.
    pub(crate) fn replay(&mut self) -> Stand {
        loop {
            self.heed_foreign_wake();
            let Some(next) = self.run.machine(Machine::next_recorded) else { break };
            if self.follow(next).is_some() {
                break;
            }
        }
        self.run.machine(|machine| machine.stand())
    }

    /// As [`Self::replay`], with polls that nothing calls for, and wakes of operations that are not ready, before each
    /// record: `chance` gives a number below the one it is given.
    #[cfg(test)]
    pub(crate) fn replay_shuffled(&mut self, chance: &mut dyn FnMut(usize) -> usize) -> Stand {
        loop {
            for _ in 0..chance(4) {
                for _ in 0..chance(5) {
                    self.run.wake_at(chance(64));
                }
                self.poll_root();
            }
            self.heed_foreign_wake();
            let Some(next) = self.run.machine(Machine::next_recorded) else { break };
            if self.follow(next).is_some() {
                break;
            }
        }
        self.run.machine(|machine| machine.stand())
    }

    /// What a run keeps of this one that is restarted from an operation; this one must have been made to find that out.
    pub(crate) fn fork(&mut self, now: Timestamp) -> Result<Vec<Record>, PauseReason> {
        self.replay();
        self.run.machine(|machine| machine.kept(now))
    }

    /// What the code has asked for so far, and what it has open.
    pub(crate) fn traced(&self) -> (Trace, Divergence) {
        self.run.machine(|machine| (machine.trace(), machine.stand_in_words()))
    }

    /// The run, if it has ended and is to be compared with its replay.
    pub(crate) fn lived(&self) -> Option<Lived> {
        self.run.machine(|machine| machine.lived())
    }

    fn poll_root(&mut self) {
        let Some(root) = &mut self.root else { return };
        let mut cx = Context::from_waker(&self.root_waker);
        let repeats = self.run.stand_in.as_ref().is_some_and(|stand_in| stand_in.repeats());
        let replaying = repeats || self.run.machine(|machine| machine.is_replaying());
        match catch_unwind(AssertUnwindSafe(|| log::polling(replaying, || root.as_mut().poll(&mut cx)))) {
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
        if catch_unwind(AssertUnwindSafe(|| drop(root))).is_err() {
            // Not what it said, which may hold values: the program's panic hook had that.
            tracing::warn!("a workflow panicked while it was dropped");
        }
    }
}

/// A look at a run that somebody else drives. Keeps nothing of it alive.
#[derive(Debug, Clone)]
pub(crate) struct Peek(Weak<Run>);

/// What a run does at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) run: u32,
    /// Step bodies that run.
    pub(crate) running: Vec<Running>,
    /// What it waits for beside them.
    pub(crate) waits: Vec<Wait>,
}

impl Peek {
    /// What the run does now; `None` when its memory is gone.
    pub(crate) fn look(&self) -> Option<Seen> {
        let run = self.0.upgrade()?;
        Some(run.machine(|machine| Seen {
            run: machine.info().run,
            running: machine.running(),
            waits: machine.waits(),
        }))
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authoring::durable::Durable;
    use crate::authoring::step::step;
    use crate::authoring::timeout::timeout;
    use crate::definition::ResourceKey;
    use crate::journal::command::{Ending, InstanceSpec};
    use crate::journal::machine::Compared;
    use crate::words::id::{InstanceId, Namespace, QueueName, WorkflowName};
    use crate::words::location::Location;
    use crate::words::payload::Payload;
    use crate::words::time::{Clock, ManualClock};

    const AT: Location = Location::new("task.rs", 1, 1);

    /// The clock that bodies pass while they hold the thread.
    struct Shared(Arc<ManualClock>);

    /// A body that holds the thread for 300 ms, in a race with a limit of 100. It returns whether the body was in time.
    static HOLDS: Registration = Registration {
        name: "holds",
        version: 1,
        queue: "default",
        graph: "",
        at: AT,
        resources: || vec![ResourceKey::of::<Shared>()],
        start: |start| {
            let (shared, cx) = (start.resources.get::<Shared>()?, start.cx);
            Ok(Box::pin(async move {
                let body = step("slow", AT, || async {
                    shared.0.advance(Duration::from_millis(300));
                    Ok::<_, String>(1)
                });
                let in_time = timeout(Duration::from_millis(100), body).run(cx).await.is_ok();
                Ended(Ending { result: Ok(Payload::encode(&in_time).expect("encodes")) })
            }))
        },
    };

    fn begin(clock: &Arc<ManualClock>) -> RunTask {
        let spec = InstanceSpec {
            workflow: WorkflowName::new(HOLDS.name).expect("valid"),
            version: 1,
            queue: QueueName::new("default").expect("valid"),
            priority: 0,
            input: Payload::from_bytes(*b"{}"),
            seed: 7,
            start_at: None,
            keep_complete: Duration::ZERO,
            keep_failed: Duration::ZERO,
            parent: None,
        };
        let info = RunInfo {
            namespace: Namespace::new("test").expect("valid"),
            id: InstanceId::new("i").expect("valid"),
            run: 1,
            streams: 1,
            spec: Arc::new(spec),
            created_at: clock.now(),
            started_at: clock.now(),
        };
        let granted = granted(clock);
        let start = RunStart {
            info,
            shift_ms: 0,
            journal_bytes: 0,
            granted,
            short_delay: Duration::ZERO,
            holds_results: true,
            compared: Compared::No,
        };
        let mut resources = Resources::default();
        resources.insert(Shared(clock.clone()));
        RunTask::new(start, Vec::new(), &HOLDS, resources, None, clock.clone())
    }

    fn granted(clock: &ManualClock) -> Granted {
        Granted { v: 1, now: clock.now(), pause: false, messages: Vec::new() }
    }

    #[test]
    fn a_body_that_held_the_thread_past_a_deadline_loses_to_it() {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000)));
        let mut task = begin(&clock);
        let ending = loop {
            match task.advance() {
                Action::Write(Write { then: Then::Finish(ending), .. }) => break ending,
                Action::Write(_) => task.granted(granted(&clock)),
                Action::Idle { until } => panic!("nothing is waited for, until {until:?}"),
            }
        };
        let in_time: bool = ending.result.expect("it returned").decode().expect("a bool");
        assert!(!in_time);
    }
}
