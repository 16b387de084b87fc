//! How an engine fares, for people and for health checks: plain values, read without waiting for the store.

use std::sync::Arc;
use std::time::Duration;

use super::Mode;
use super::backoff::Backoff;
use super::commands::StoreHealth;
use super::supervise::{LoopHealth, lock};
use super::worker::Worker;
use crate::store::StoreError;
use crate::words::id::WorkflowName;

/// How often the store is asked what no worker knows, after that has changed.
const SHELVES_EVERY: Duration = Duration::from_secs(2);
/// How often at least.
const SHELVES_LONGEST: Duration = Duration::from_secs(10);

/// How an engine fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What the engine does.
    pub mode: Mode,
    /// How the store answers its writes.
    pub store: StoreHealth,
    /// Its background loops, each with its restarts and its newest error.
    pub loops: Vec<LoopHealth>,
    /// What concerns engines that execute; `None` for a client.
    pub worker: Option<WorkerHealth>,
}

/// How an engine that executes fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// How long its session has lived; `None` while it has none and can drive nothing.
    pub session_age: Option<Duration>,
    /// Sessions it lost: each time what it drove went to others.
    pub lost_sessions: u64,
    /// Instances it drives now.
    pub driving: usize,
    /// How many it drives at most.
    pub concurrency: usize,
    /// Suspended runs it has in memory.
    pub in_memory: usize,
    /// How often the store was found to have lost acknowledged writes.
    pub data_losses: u64,
    /// How often the engine itself panicked while it drove an instance, which was then parked.
    pub drive_panics: u64,
    /// How often a run was parked at its end because its replay did something else: see
    /// [`VerifyReplay`](super::VerifyReplay).
    pub replay_differences: u64,
    /// Workflows and versions that wait because no worker so far knew them, and how many instances of each, as of some
    /// seconds ago.
    pub shelves: Vec<(WorkflowName, u32, u64)>,
}

impl Health {
    /// Whether the engine does all it should: the store answers, every loop runs, and a worker has its session.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let has_session = self.worker.as_ref().is_none_or(|worker| worker.session_age.is_some());
        self.store.answering && has_session && self.loops.iter().all(|looping| looping.running)
    }
}

pub(super) fn of_worker(worker: &Worker, concurrency: usize) -> WorkerHealth {
    WorkerHealth {
        session_age: worker.session.current().map(|session| session.age()),
        lost_sessions: worker.counts.lost_sessions.get(),
        driving: worker.drives.count(),
        concurrency,
        in_memory: worker.sticky.len(),
        data_losses: worker.counts.data_losses.get(),
        drive_panics: worker.counts.drive_panics.get(),
        replay_differences: worker.counts.replay_differences.get(),
        shelves: lock(&worker.shelves).clone(),
    }
}

/// Keeps what is known of shelves fresh, and says when one is not emptied: beside workers that know a version, others put
/// it on a shelf for a moment.
pub(super) async fn watch_shelves(worker: Arc<Worker>) -> Result<(), StoreError> {
    let mut pauses = Backoff::new(SHELVES_EVERY, SHELVES_LONGEST);
    let mut told = Vec::new();
    loop {
        let shelves = worker.store.overview().await?.shelves;
        let known = std::mem::replace(&mut *lock(&worker.shelves), shelves.clone());
        if known != shelves {
            pauses.reset();
        }
        let is_on = |shelves: &[(WorkflowName, u32, u64)], (workflow, version): &(WorkflowName, u32)| {
            shelves.iter().any(|(name, of, _)| name == workflow && of == version)
        };
        told.retain(|shelf| is_on(&shelves, shelf));
        for (workflow, version, count) in &shelves {
            let shelf = (workflow.clone(), *version);
            if is_on(&known, &shelf) && !told.contains(&shelf) {
                told.push(shelf);
                tracing::warn!(%workflow, version, count, "instances wait for a worker that knows this version of their workflow: start one, or one more");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pauses.next()) => {}
            () = worker.until_closed() => return Ok(()),
        }
    }
}
