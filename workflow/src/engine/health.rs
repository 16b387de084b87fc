//! How an engine fares, for people and for health checks: plain values, read without waiting for the store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Mode;
use super::backoff::{Backoff, jittered};
use super::commands::StoreHealth;
use super::limits::LimitHealth;
use super::meter;
use super::supervise::{LoopHealth, lock};
use super::worker::Worker;
use crate::store::{QueueView, Shelf, StoreError};
use crate::words::id::WorkflowName;

/// How often the store is asked what no worker knows, after that has changed.
const SHELVES_EVERY: Duration = Duration::from_secs(2);
/// How often at least.
const SHELVES_LONGEST: Duration = Duration::from_secs(10);

/// How often queues are measured.
const QUEUES_EVERY: Duration = Duration::from_secs(5);

/// How an engine fares.
///
/// `{}` says it in lines for people, what is wrong first; it is serialisable for health checks, with `good` and `problems`
/// beside its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What the engine does.
    pub mode: Mode,
    /// How the store answers it.
    pub store: StoreHealth,
    /// Its background loops, each with its restarts and its newest error.
    pub loops: Vec<LoopHealth>,
    /// What concerns engines that execute; `None` for a client.
    pub worker: Option<WorkerHealth>,
}

/// How an engine that executes fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// Its session, as the status of what it drives names it; `None` while it has none and can drive nothing.
    pub session: Option<String>,
    /// How long that has lived. Serialised in milliseconds, as `session_age_ms`.
    #[serde(rename = "session_age_ms", serialize_with = "in_millis")]
    pub session_age: Option<Duration>,
    /// Sessions it lost: each time what it drove went to others.
    pub lost_sessions: u64,
    /// Sessions of workers that live in the store's namespace, this one's included, as of some seconds ago.
    pub workers: u64,
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
    /// Workflows and versions that wait because no worker so far knew them, as of some seconds ago.
    pub shelves: Vec<Shelf>,
    /// What it has of each limit that it obeys.
    pub limits: Vec<LimitHealth>,
}

fn in_millis<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}

impl Health {
    /// Whether the engine does all it should: the store answers and can be read, every loop runs, and a worker has its
    /// session. As of what it last asked; `Engine::overview` asks the store now.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let has_session = self.worker.as_ref().is_none_or(|worker| worker.session_age.is_some());
        self.store.answering && self.store.readable && has_session && self.loops.iter().all(|looping| looping.running)
    }

    /// What is wrong now, each in a sentence: what makes it not good, and instances that nobody can run. What went wrong
    /// before and is over is in the fields.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.store.answering {
            let error = self.store.last_error.as_deref().unwrap_or("it did not say why");
            problems.push(format!("the store did not carry out the newest batch: {error}"));
        }
        if !self.store.readable {
            let error = self.store.last_error.as_deref().unwrap_or("it did not say why");
            problems.push(format!("the store did not answer the newest question: {error}"));
        }
        for stopped in self.loops.iter().filter(|looping| !looping.running) {
            problems.push(stopped.to_string());
        }
        let Some(worker) = &self.worker else { return problems };
        if worker.session.is_none() {
            problems.push("it has no session, and drives nothing until it has one".to_owned());
        }
        for Shelf { workflow, version, instances } in &worker.shelves {
            let wait = if *instances == 1 { "instance waits" } else { "instances wait" };
            problems.push(format!("{instances} {wait} for a worker that knows `{workflow}` version {version}"));
        }
        problems
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: an engine in mode {}", if self.is_good() { "good" } else { "not good" }, self.mode)?;
        self.problems().iter().try_for_each(|problem| write!(f, "\n  problem: {problem}"))?;
        write!(f, "\n  store: batches sent again {}", self.store.resends)?;
        if let Some(error) = &self.store.last_error {
            write!(f, ", newest error: {error}")?;
        }
        if self.store.losses > 0 {
            let StoreHealth { losses, lost_calls, .. } = self.store;
            write!(f, ", lost what it had acknowledged {losses} times, {lost_calls} calls at least")?;
        }
        if let Some(worker) = &self.worker {
            write!(f, "\n  worker: {worker}")?;
        }
        let failed = self.loops.iter().filter(|looping| looping.running && looping.restarts > 0);
        failed.into_iter().try_for_each(|looping| write!(f, "\n  {looping}"))
    }
}

impl fmt::Display for WorkerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driving, concurrency, in_memory, workers, lost_sessions, .. } = self;
        write!(f, "drives {driving} of at most {concurrency}, {in_memory} suspended in memory; ")?;
        match (&self.session, self.session_age) {
            (Some(session), Some(age)) => write!(f, "session {session} for {} s", age.as_secs())?,
            _ => f.write_str("no session")?,
        }
        write!(f, ", {lost_sessions} lost; workers that live: {workers}")?;
        let counts = [
            (self.data_losses, "writes that the store had acknowledged and lost"),
            (self.drive_panics, "panics of the engine"),
            (self.replay_differences, "runs parked because their replay differed"),
        ];
        counts.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, what)| write!(f, "; {what}: {count}"))
    }
}

/// With what follows from the fields.
impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { mode, store, loops, worker } = self;
        let mut fields = serializer.serialize_struct("Health", 6)?;
        fields.serialize_field("good", &self.is_good())?;
        fields.serialize_field("problems", &self.problems())?;
        fields.serialize_field("mode", mode)?;
        fields.serialize_field("store", store)?;
        fields.serialize_field("loops", loops)?;
        fields.serialize_field("worker", worker)?;
        fields.end()
    }
}

pub(super) fn of_worker(worker: &Worker, concurrency: usize) -> WorkerHealth {
    let session = worker.session.current();
    WorkerHealth {
        session: session.as_ref().map(|session| session.id().to_string()),
        session_age: session.map(|session| session.age()),
        workers: worker.alive.load(Ordering::Relaxed),
        lost_sessions: worker.counts.lost_sessions.get(),
        driving: worker.drives.count(),
        concurrency,
        in_memory: worker.sticky.len(),
        data_losses: worker.counts.data_losses.get(),
        drive_panics: worker.counts.drive_panics.get(),
        replay_differences: worker.counts.replay_differences.get(),
        shelves: lock(&worker.shelves).clone(),
        limits: worker.limits.health(),
    }
}

/// Keeps what is known of shelves fresh, and says when one is not emptied: beside workers that know a version, others put
/// it on a shelf for a moment.
pub(super) async fn watch_shelves(worker: Arc<Worker>) -> Result<(), StoreError> {
    let mut pauses = Backoff::new(SHELVES_EVERY, SHELVES_LONGEST);
    let mut told = Vec::new();
    loop {
        let shelves = worker.store.shelves().await?;
        let known = std::mem::replace(&mut *lock(&worker.shelves), shelves.clone());
        meter::shelved(&known, &shelves);
        if known != shelves {
            pauses.reset();
        }
        let is_on = |shelves: &[Shelf], (workflow, version): &(WorkflowName, u32)| {
            shelves.iter().any(|shelf| shelf.workflow == *workflow && shelf.version == *version)
        };
        told.retain(|shelf| is_on(&shelves, shelf));
        for Shelf { workflow, version, instances } in &shelves {
            let shelf = (workflow.clone(), *version);
            if is_on(&known, &shelf) && !told.contains(&shelf) {
                told.push(shelf);
                tracing::warn!(%workflow, version, instances, "instances wait for a worker that knows this version of their workflow: start one, or one more");
            }
        }
        tokio::select! {
            biased;
            () = worker.until_closed() => return Ok(()),
            () = tokio::time::sleep(pauses.next()) => {}
        }
    }
}

/// Counts the instances by state, and measures the queues that this worker serves.
pub(super) async fn watch_queues(worker: Arc<Worker>) -> Result<(), StoreError> {
    loop {
        meter::states(&worker.store.overview().await?);
        for queue in worker.queues.iter() {
            let QueueView { ready, first_since } = worker.store.queue(queue.clone()).await?;
            let oldest = first_since.map_or(Duration::ZERO, |since| worker.time.now().until(since));
            meter::queue(queue, ready, oldest);
        }
        tokio::select! {
            biased;
            () = worker.until_closed() => return Ok(()),
            () = tokio::time::sleep(jittered(QUEUES_EVERY)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> WorkflowName {
        WorkflowName::new(text).expect("valid")
    }

    fn looping(name: &str, running: bool, restarts: u64, last_error: Option<&str>) -> LoopHealth {
        LoopHealth { name: name.to_owned(), running, restarts, last_error: last_error.map(str::to_owned) }
    }

    fn good() -> Health {
        let worker = WorkerHealth {
            session: Some("0a".to_owned()),
            session_age: Some(Duration::from_millis(12_345)),
            lost_sessions: 1,
            workers: 3,
            driving: 4,
            concurrency: 64,
            in_memory: 12,
            data_losses: 0,
            drive_panics: 0,
            replay_differences: 0,
            shelves: Vec::new(),
            limits: Vec::new(),
        };
        let store = StoreHealth { answering: true, readable: true, ..StoreHealth::default() };
        Health { mode: Mode::All, store, loops: vec![looping("claims 0", true, 0, None)], worker: Some(worker) }
    }

    fn bad() -> Health {
        let mut health = good();
        health.store = StoreHealth {
            answering: false,
            readable: false,
            resends: 2,
            last_error: Some("it cannot be reached".to_owned()),
            losses: 1,
            lost_calls: 3,
            lost_at: Some(std::time::UNIX_EPOCH),
        };
        health.loops.push(looping("timers 0", false, 3, Some("it cannot be reached")));
        health.loops.push(looping("outbox", true, 1, Some("panic: oh")));
        if let Some(worker) = &mut health.worker {
            (worker.session, worker.session_age, worker.data_losses) = (None, None, 2);
            worker.shelves.push(Shelf { workflow: name("order"), version: 2, instances: 5 });
            worker.shelves.push(Shelf { workflow: name("refund"), version: 1, instances: 1 });
        }
        health
    }

    #[test]
    fn people_read_what_is_wrong_first() {
        assert_eq!(
            good().to_string(),
            "good: an engine in mode All\n  store: batches sent again 0\n  worker: drives 4 of at most 64, 12 suspended in \
             memory; session 0a for 12 s, 1 lost; workers that live: 3"
        );
        assert_eq!(
            bad().to_string(),
            "not good: an engine in mode All\n  problem: the store did not carry out the newest batch: it cannot be \
             reached\n  problem: the store did not answer the newest question: it cannot be reached\n  problem: the loop `timers 0` stands still, started again 3 times, newest error: it cannot be \
             reached\n  problem: it has no session, and drives nothing until it has one\n  problem: 5 instances wait for a \
             worker that knows `order` version 2\n  problem: 1 instance waits for a worker that knows `refund` version \
             1\n  store: batches sent again 2, newest error: it cannot be reached, lost what it had \
             acknowledged 1 times, 3 calls at least\n  worker: drives 4 of at most 64, 12 \
             suspended in memory; no session, 1 lost; workers that live: 3; writes that the store had acknowledged and \
             lost: 2\n  the loop `outbox` runs, started again 1 times, newest error: panic: oh"
        );
    }

    #[test]
    fn programs_read_the_same() {
        let of = |health: Health| serde_json::to_value(health).expect("it is written");
        assert_eq!(of(good())["good"], true);
        assert_eq!(of(good())["worker"]["session_age_ms"], 12_345);
        let bad = of(bad());
        assert_eq!((&bad["good"], &bad["mode"]), (&false.into(), &"all".into()));
        assert_eq!(bad["problems"].as_array().map(Vec::len), Some(6));
        assert_eq!(bad["store"]["last_error"], "it cannot be reached");
        assert_eq!((&bad["store"]["losses"], &bad["store"]["lost_calls"]), (&1.into(), &3.into()));
        assert_eq!(bad["store"]["lost_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(of(good())["store"]["lost_at"], serde_json::Value::Null);
        assert_eq!(bad["loops"][1]["running"], false);
        assert_eq!(bad["worker"]["session_age_ms"], serde_json::Value::Null);
        assert_eq!(bad["worker"]["shelves"][0]["instances"], 5);
    }

    #[test]
    fn what_nobody_can_run_is_a_problem_and_no_fault_of_the_engine() {
        let mut health = good();
        let worker = health.worker.as_mut().expect("it is one");
        worker.shelves.push(Shelf { workflow: name("order"), version: 2, instances: 5 });
        assert!(health.is_good());
        assert_eq!(health.problems().len(), 1);
    }
}
