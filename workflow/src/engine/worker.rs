//! What all tasks of one worker share, and the one way in which an instance comes to be driven.
//!
//! Owns the slots: each drive holds a permit from the moment the instance is asked for until it has ended or waits.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tracing::Instrument;

use super::bells::Bells;
use super::commands::Commands;
use super::drive;
use super::drives::{Drives, Tell};
use super::estimate::StoreTime;
use super::host::Host;
use super::limits::{DriveSlot, Limits};
use super::meter::{self, Origin};
use super::quotas::Quotas;
use super::session::{Session, Slot};
use super::start::Registry;
use super::sticky::Sticky;
use super::supervise::Supervisor;
use super::underway::Underway;
use super::warnings::Warnings;
use super::{Config, Mode, VerifyReplay};
use crate::authoring::task::RunTask;
use crate::definition::Resources;
use crate::journal::command::{Claimed, Command, Create, CreateReply};
use crate::store::{LostWrites, Shelf, Store, StoreError};
use crate::words::id::{Namespace, QueueName, WorkflowName};

/// How far the worker's life has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It claims and drives.
    Running,
    /// It claims nothing more; what it drives ends or is handed back.
    Draining,
    /// Its session is closed.
    Closed,
}

/// What went wrong so far, for health.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Sessions that were fenced.
    pub(super) lost_sessions: Count,
    /// Answers that showed that the store lost acknowledged writes.
    pub(super) data_losses: Count,
    /// Drives that ended by a panic of the engine itself.
    pub(super) drive_panics: Count,
    /// Runs that were parked because their replay did something else.
    pub(super) replay_differences: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an engine that executes is made of.
pub(crate) struct Worker {
    pub(super) store: Arc<dyn Store>,
    lost: watch::Receiver<LostWrites>,
    pub(super) commands: Arc<Commands>,
    pub(super) time: Arc<StoreTime>,
    pub(super) namespace: Namespace,
    pub(super) lease: Duration,
    pub(super) queues: Arc<[QueueName]>,
    pub(super) known: Arc<[(WorkflowName, u32)]>,
    pub(super) registry: Registry,
    pub(super) resources: Resources,
    pub(super) verify_replay: VerifyReplay,
    /// As [`Config::holds_results`].
    pub(super) holds_results: bool,
    pub(super) session: Slot,
    pub(super) quotas: Quotas,
    pub(super) limits: Arc<Limits>,
    pub(super) slots: Arc<Semaphore>,
    /// How many there are.
    concurrency: usize,
    /// How many of them a claim leaves for creates, as long as more are free.
    pub(super) kept_slots: usize,
    pub(super) drives: Arc<Drives>,
    /// What may still bring instances to drive.
    pub(super) underway: Arc<Underway>,
    pub(super) sticky: Sticky<RunTask>,
    /// The turn to try a suspect: one at a time, so that a crash tells which one it was.
    pub(super) trial: Arc<Semaphore>,
    pub(super) bells: Bells,
    pub(super) counts: Counts,
    pub(super) warnings: Warnings,
    /// What no worker knew, as the store said last.
    pub(super) shelves: Mutex<Vec<Shelf>>,
    /// How many sessions live, as the store said last.
    pub(super) alive: AtomicU64,
    pub(super) stage: watch::Sender<Stage>,
    pub(super) host: Host,
}

impl Worker {
    pub(super) fn new(config: &Config, registry: Registry, commands: Arc<Commands>, time: Arc<StoreTime>) -> Arc<Self> {
        meter::slots(config.concurrency, 0);
        Arc::new(Self {
            lost: config.store.lost_writes(),
            store: config.store.clone(),
            concurrency: config.concurrency,
            time,
            namespace: config.namespace.clone(),
            lease: config.lease,
            queues: config.queues.clone().into(),
            known: registry.keys().cloned().collect(),
            registry,
            resources: config.resources.clone(),
            verify_replay: config.verify_replay,
            holds_results: config.holds_results,
            session: Slot::new(),
            quotas: Quotas::new(&config.weights),
            limits: Limits::new(&config.limits, commands.partitions()),
            slots: Arc::new(Semaphore::new(config.concurrency)),
            kept_slots: if config.mode == Mode::All { config.concurrency / 4 } else { 0 },
            drives: Arc::new(Drives::new()),
            underway: Arc::default(),
            sticky: Sticky::new(config.sticky),
            trial: Arc::new(Semaphore::new(1)),
            bells: Bells::new(commands.partitions()),
            commands,
            counts: Counts::default(),
            warnings: Warnings::default(),
            shelves: Mutex::default(),
            alive: AtomicU64::new(0),
            stage: watch::channel(Stage::Running).0,
            host: config.host.clone(),
        })
    }

    /// How often the store was found to have lost acknowledged writes.
    pub(super) fn losses(&self) -> u64 {
        self.lost.borrow().times
    }

    /// From now on it drives nothing.
    pub(super) fn end(&self) {
        if self.stage.send_replace(Stage::Closed) != Stage::Closed {
            meter::slots(0, self.concurrency);
        }
    }

    /// Closes the session: what it still holds goes to others at once. False when the store did not answer in time.
    pub(super) async fn close(&self, limit: Duration) -> bool {
        let session = self.session.current();
        // Its keeper and its heart stop, and no new session is opened.
        self.end();
        let Some(session) = session else { return true };
        let mut closed = true;
        for partition in 0..self.commands.partitions() {
            let command = Command::CloseSession { session: session.id() };
            closed &= self.commands.send_to_within(partition, command, limit).await.is_ok();
        }
        closed
    }

    /// Starts every loop of the worker.
    pub(super) fn start(self: &Arc<Self>, supervisor: &Supervisor) {
        use super::{claim, health, limits, outbox, session, sweep};
        self.keep(supervisor, "session", |worker| Box::pin(session::keep(worker)));
        self.keep(supervisor, "recovery", |worker| Box::pin(sweep::recover(worker)));
        self.keep(supervisor, "strays", |worker| Box::pin(sweep::hand_back(worker)));
        self.keep(supervisor, "inboxes", |worker| Box::pin(sweep::unstick(worker)));
        self.keep(supervisor, "retention", |worker| Box::pin(sweep::expire(worker)));
        self.keep(supervisor, "indexes", |worker| Box::pin(sweep::mend(worker)));
        self.keep(supervisor, "outbox", |worker| Box::pin(outbox::deliver(worker)));
        self.keep(supervisor, "limits", |worker| Box::pin(limits::give_back(worker)));
        self.keep(supervisor, "shelves", |worker| Box::pin(health::watch_shelves(worker)));
        if meter::ON {
            self.keep(supervisor, "queues", |worker| Box::pin(health::watch_queues(worker)));
        }
        for partition in 0..self.commands.partitions() {
            let claims = move |worker| -> Looping { Box::pin(claim::claim(worker, partition)) };
            self.keep(supervisor, &format!("claims {partition}"), claims);
            let timers = move |worker| -> Looping { Box::pin(sweep::wake_due(worker, partition)) };
            self.keep(supervisor, &format!("timers {partition}"), timers);
        }
    }

    fn keep(
        self: &Arc<Self>,
        supervisor: &Supervisor,
        name: &str,
        make: impl Fn(Arc<Self>) -> Looping + Send + Sync + 'static,
    ) {
        // Not owned, so that a worker whose engine was dropped is not kept alive by its own loops.
        let worker = Arc::downgrade(self);
        supervisor.watch(name, move || worker.upgrade().map_or_else(ended, |worker| until_closed(&make, worker)));
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stage.borrow() != Stage::Running
    }

    pub(super) async fn until_stopping(&self) {
        // The sender lives as long as `self`.
        let _ = self.stage.subscribe().wait_for(|stage| *stage >= Stage::Draining).await;
    }

    pub(super) async fn until_closed(&self) {
        let _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::Closed).await;
    }

    /// Drives an instance that was given to this session, in a task of its own.
    pub(super) fn drive(self: &Arc<Self>, session: Arc<Session>, claimed: Claimed, slot: DriveSlot) {
        let Some(entered) = self.drives.enter(session.id(), &claimed) else {
            tracing::debug!(instance = %claimed.id, "claimed again while it is driven");
            return;
        };
        // The session may have been lost before the drive was in the list of those it stops.
        if session.is_revoked() {
            entered.signal().tell(Tell::Stop);
        }
        if self.is_stopping() {
            entered.signal().tell(Tell::Drain);
        }
        let span = drive::span(&claimed);
        self.host.spawn(drive::run(self.clone(), session, claimed, entered, slot).instrument(span));
    }

    /// Carries out a create, and drives the instance here if a slot is free and the store hands it over.
    pub(super) async fn create(self: &Arc<Self>, create: Create) -> Result<CreateReply, StoreError> {
        self.begin_create(create).await.await.unwrap_or_else(|_| Err(self.commands.gone()))
    }

    /// As [`Self::create`], to be answered on the channel given back.
    ///
    /// The answer is looked at even when the caller is gone: what was handed over must be driven.
    pub(super) async fn begin_create(self: &Arc<Self>, mut create: Create) -> Created {
        let (answer, answered) = oneshot::channel();
        // In both cases nobody waits for the answer if the caller went away.
        if let Some((session, slot)) = self.offer(&create) {
            create.local = Some(session.id());
            let (worker, request) = (self.clone(), self.underway.begin());
            let then = move |reply| {
                drop(answer.send(worker.take_over(reply, session, slot)));
                drop(request);
            };
            self.commands.create_then(create, then).await;
        } else {
            create.local = None;
            self.commands.create_then(create, move |reply| drop(answer.send(reply))).await;
        }
        answered
    }

    /// Drives what a create handed over.
    fn take_over(
        self: &Arc<Self>,
        reply: Result<CreateReply, StoreError>,
        session: Arc<Session>,
        slot: OwnedSemaphorePermit,
    ) -> Result<CreateReply, StoreError> {
        match reply {
            Ok(CreateReply::Created { claimed: Some(claimed) }) => {
                meter::given(&claimed, Origin::Create);
                // What is limited here is not offered.
                self.drive(session, *claimed, DriveSlot::new(slot, None));
                Ok(CreateReply::Created { claimed: None })
            }
            other => other,
        }
    }

    /// A free slot and the session, if this worker can run such an instance now.
    fn offer(&self, create: &Create) -> Option<(Arc<Session>, OwnedSemaphorePermit)> {
        let spec = &create.spec;
        let served = self.queues.contains(&spec.queue);
        let known = self.registry.contains_key(&(spec.workflow.clone(), spec.version));
        let limited = self.limits.concern(&spec.workflow, &spec.queue);
        if !served || !known || limited || spec.start_at.is_some() || self.is_stopping() {
            return None;
        }
        let session = self.session.current()?;
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        Some((session, slot))
    }
}

fn ended() -> Looping {
    Box::pin(std::future::ready(Ok(())))
}

/// A loop whose end is no failure once the engine has shut down, whatever it still asked for then.
pub(super) fn until_closed(make: impl Fn(Arc<Worker>) -> Looping, worker: Arc<Worker>) -> Looping {
    let stage = worker.stage.subscribe();
    let looping = make(worker);
    Box::pin(async move {
        looping.await.or_else(|error| if *stage.borrow() == Stage::Closed { Ok(()) } else { Err(error) })
    })
}

/// The answer to a create that is on its way.
pub(super) type Created = oneshot::Receiver<Result<CreateReply, StoreError>>;

pub(super) type Looping = crate::store::BoxFuture<'static, Result<(), StoreError>>;

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("drives", &self.drives).field("sticky", &self.sticky).finish_non_exhaustive()
    }
}
