//! The engine: claims instances, drives them, and sweeps up what others left behind.
//!
//! ```text
//!  client ── create, send, control ──▶ ┌──────────┐ batches ┌───────┐
//!  drive ─── owner's writes ─────────▶ │ Commands │ ──────▶ │ Store │
//!  claim, sweep, outbox ─────────────▶ └──────────┘ ◀────── └───────┘
//!                                                  replies      │ hints
//!  heart thread ── beat, on its own connection ──────────▶ Store│
//!                                                               ▼
//!  ┌────────── Hints: ring bells, tell drives, wake watchers ──────┐
//!  ▼                  ▼                    ▼                       ▼
//!  claim loops        timers, outbox       drives (notice, check)  Changes (results)
//!    │ Claimed + slot
//!    ▼
//!  drive: one task per instance ◀──▶ RunTask (future + machine)
//!    │ suspended            │ fenced, stale, stop
//!    ▼                      ▼
//!  Sticky (memory)          everything dropped
//! ```
//!
//! Owns the tasks of an engine and the order of shutting down. Decides nothing about instances: what a store may do is
//! the transition table's, what a run does next is the machine's. Every waiting state is found by a periodic question to
//! the store; hints only make that early. Called by the client layer through [`Core`].
//!
//! - [`commands`], [`lane`]: group commit;
//! - [`session`], [`drives`], [`worker`]: who this worker is and what it drives;
//! - [`claim`], [`drive`], [`holding`], [`sticky`]: from a claim to a suspend;
//! - [`limits`], [`quotas`]: what a claim may give, and of which queue first;
//! - [`verify`]: a run that ended, compared with its replay;
//! - [`sweep`], [`outbox`]: timers, recovery, retention, commands between instances;
//! - [`hints`], [`bells`], [`changes`]: who is woken by what;
//! - [`meter`], [`metered`]: what is counted and measured;
//! - [`host`]: what runs tasks and beats the heart, and how a simulation has them in hand;
//! - [`supervise`], [`health`], [`backoff`], [`estimate`]: loops that never end on an error, and how they fare.

mod backoff;
mod bells;
mod changes;
mod claim;
mod commands;
mod drive;
mod drives;
mod estimate;
mod health;
mod hints;
mod holding;
mod host;
mod lane;
mod limits;
mod meter;
mod metered;
mod outbox;
mod quotas;
mod session;
mod start;
mod sticky;
mod supervise;
mod sweep;
#[cfg(test)]
mod tests;
mod underway;
mod verify;
mod warnings;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

pub use self::changes::{Changes, Watch};
pub use self::commands::{Commands, StoreHealth};
pub(crate) use self::drives::Signal;
use self::drives::Tell;
use self::estimate::StoreTime;
pub use self::health::{Health, WorkerHealth};
pub use self::host::{Gate, Host, Life};
pub use self::limits::{LimitHealth, LimitRule};
pub use self::start::StartError;
pub use self::supervise::LoopHealth;
use self::supervise::Supervisor;
pub use self::verify::VerifyReplay;
use self::worker::{Stage, Worker};
use crate::definition::{Registration, Resources};
use crate::journal::command::{Command, Create, CreateReply, Reply};
use crate::store::{Store, StoreError};
use crate::words::id::{InstanceId, Namespace, QueueName};

/// How long the store has, at a shutdown, to answer what hands the worker's instances over.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long bodies that were dropped have to let go; one that blocks its thread does not.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// What an engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Creates and asks, and runs what it finds.
    #[default]
    All,
    /// Creates and asks only: never executes workflow code.
    Client,
    /// A process of its own for running; what it creates waits in the queue like any other.
    Worker,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::Client => "Client",
            Self::Worker => "Worker",
        })
    }
}

/// What an engine is started with.
#[derive(Debug)]
pub struct Config {
    /// The store, open.
    pub store: Arc<dyn Store>,
    /// What the engine does.
    pub mode: Mode,
    /// The namespace of the store's instances: part of idempotency keys.
    pub namespace: Namespace,
    /// How many instances are driven at once.
    pub concurrency: usize,
    /// Which queues are served.
    pub queues: Vec<QueueName>,
    /// Their weights, in the same order; empty: all the same.
    pub weights: Vec<u32>,
    /// The limits that are obeyed.
    pub limits: Vec<LimitRule>,
    /// How long a session lives after each heartbeat.
    pub lease: Duration,
    /// What workflows take as `#[resource]`.
    pub resources: Resources,
    /// The workflows that are served.
    pub workflows: Vec<&'static Registration>,
    /// How many suspended runs are kept in memory.
    pub sticky: usize,
    /// Which runs are compared with their replay when they end.
    pub verify_replay: VerifyReplay,
    /// Whether a result may travel with what the poll ends in that it is delivered in.
    pub holds_results: bool,
    /// What its tasks and its heart run on.
    pub host: Host,
}

/// Sees whether workflows can be served with these resources, before a store is opened for them.
///
/// # Errors
/// As [`Core::start`], which asks again.
pub(crate) fn check(workflows: &[&'static Registration], resources: &Resources) -> Result<(), StartError> {
    start::check(workflows, resources).map(drop)
}

/// A running engine. Dropping it stops everything at once, as a crash does; [`Core::shutdown`] stops it in good order.
pub struct Core {
    config: Config,
    commands: Arc<Commands>,
    changes: Changes,
    /// None for a client.
    worker: Option<Arc<Worker>>,
    supervisor: Supervisor,
}

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Instances that were being driven when it began.
    pub driving: usize,
    /// How many of them were still being driven when the grace was over: their bodies were dropped and will run again.
    pub interrupted: usize,
    /// Whether the session was closed, so that others go on at once; if not, they do when its lease is over.
    pub handed_over: bool,
}

impl Core {
    /// Starts an engine on its host.
    ///
    /// # Errors
    /// Before anything runs: when the workflows cannot be served (two of one name and version, a missing resource, an
    /// invalid name), or the store does not answer.
    pub async fn start(mut config: Config) -> Result<Arc<Self>, StartError> {
        meter::describe();
        config.store = metered::metered(config.store);
        let registry = match config.mode {
            // A client never executes, so it needs nothing that executing needs.
            Mode::Client => start::Registry::default(),
            Mode::All | Mode::Worker => start::check(&config.workflows, &config.resources)?,
        };
        let asked = Instant::now();
        let time = config.store.now().await.map_err(StartError::Store)?;
        let time = Arc::new(StoreTime::new(asked, time));
        let supervisor = Supervisor::new(config.host.clone());
        let commands = Arc::new(Commands::start(config.store.clone(), time.clone(), &supervisor));
        let changes = Changes::default();
        let worker = match config.mode {
            Mode::Client => None,
            Mode::All | Mode::Worker => Some(Worker::new(&config, registry, commands.clone(), time)),
        };
        let (store, rung, told) = (config.store.clone(), changes.clone(), worker.as_ref().map(Arc::downgrade));
        supervisor.watch("hints", move || hints::pass_on(store.clone(), rung.clone(), told.clone()));
        if let Some(worker) = &worker {
            worker.start(&supervisor);
        }
        Ok(Arc::new(Self { config, commands, changes, worker, supervisor }))
    }

    /// The way to the store for writes.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Who waits for changes.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The store, to read from.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.config.store
    }

    /// What the engine was started with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How it fares.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            mode: self.config.mode,
            store: self.commands.health(),
            loops: self.supervisor.health(),
            worker: self.worker.as_ref().map(|worker| health::of_worker(worker, self.config.concurrency)),
        }
    }

    /// Carries out a create. In mode All it offers a slot if one is free, and drives what the store hands over.
    ///
    /// # Errors
    /// As [`Commands::send`].
    pub async fn create(&self, create: Create) -> Result<CreateReply, StoreError> {
        match self.worker.as_ref().filter(|_| self.config.mode == Mode::All) {
            Some(worker) => worker.create(create).await,
            None => match self.commands.send(Command::Create(Create { local: None, ..create })).await? {
                Reply::Create(reply) => Ok(reply),
                _ => Err(self.commands.misfit()),
            },
        }
    }

    /// The drive of an instance, if this engine drives it now and it is of this workflow (`None`: of any).
    pub(crate) fn drive_of(&self, id: &InstanceId, workflow: Option<&str>) -> Option<Arc<Signal>> {
        self.worker.as_ref()?.drives.of(id, workflow)
    }

    /// Stops: claims nothing more, lets bodies end for as long as `grace`, then hands the rest over at once by closing
    /// the session. Calling it again does nothing more.
    ///
    /// # Crashes
    /// If the process dies during this, others take over when the lease is over.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        let Some(worker) = &self.worker else {
            return ShutdownReport { handed_over: true, ..ShutdownReport::default() };
        };
        let driving = worker.drives.count();
        worker.stage.send_modify(|stage| *stage = (*stage).max(Stage::Draining));
        worker.drives.tell_all(Tell::Drain);
        // Either all ended, or the grace is over: what is left is counted below.
        let _ = tokio::time::timeout(grace, worker.drives.until_none()).await;
        let interrupted = worker.drives.count();
        worker.drives.tell_all(Tell::Stop);
        let _ = tokio::time::timeout(STOP_LIMIT, worker.drives.until_none()).await;
        drop(worker.sticky.clear());
        let handed_over = worker.close(CLOSE_LIMIT).await;
        tracing::info!(driving, interrupted, handed_over, "the engine has shut down");
        ShutdownReport { driving, interrupted, handed_over }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.end();
            worker.drives.tell_all(Tell::Stop);
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("config", &self.config).field("worker", &self.worker).finish_non_exhaustive()
    }
}
