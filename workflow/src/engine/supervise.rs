//! Keeps background loops alive: a loop that fails or panics is started again, with backoff, and health shows it.
//!
//! Owns every task of an engine that is not the drive of an instance. A loop ends for
//! good in two ways only: it returns `Ok` (it was told to stop), or its supervisor is dropped, which aborts it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::host::Host;
use super::meter;
use crate::store::StoreError;

/// The first pause before a loop is started again.
const RESTART_FIRST: Duration = Duration::from_millis(50);
/// The longest.
const RESTART_LONGEST: Duration = Duration::from_secs(5);
/// A loop that ran this long is healthy: its next restart begins with the first pause again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// How one background loop fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoopHealth {
    /// Its name.
    pub name: String,
    /// Whether it runs now; when not, it waits to be started again, or was told to stop.
    pub running: bool,
    /// How often it was started again after an error or a panic.
    pub restarts: u64,
    /// The newest error or panic.
    pub last_error: Option<String>,
}

impl fmt::Display for LoopHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, running, restarts, last_error } = self;
        let state = if *running { "runs" } else { "stands still" };
        write!(f, "the loop `{name}` {state}, started again {restarts} times")?;
        last_error.iter().try_for_each(|error| write!(f, ", newest error: {error}"))
    }
}

/// The owner of an engine's background loops.
pub(crate) struct Supervisor {
    host: Host,
    loops: Mutex<Vec<Supervised>>,
}

struct Supervised {
    health: Arc<Mutex<LoopHealth>>,
    task: AbortHandle,
}

impl Supervisor {
    /// Loops run on this host.
    pub(crate) const fn new(host: Host) -> Self {
        Self { host, loops: Mutex::new(Vec::new()) }
    }

    /// Runs `make()` until it returns `Ok`, again and again.
    pub(crate) fn watch<F, L>(&self, name: impl Into<String>, make: F)
    where
        F: Fn() -> L + Send + Sync + 'static,
        L: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let name = name.into();
        let health = LoopHealth { name, running: true, restarts: 0, last_error: None };
        let health = Arc::new(Mutex::new(health));
        let host = self.host.clone();
        let task = self.host.spawn(run(host, health.clone(), Arc::new(make))).abort_handle();
        self.loops().push(Supervised { health, task });
    }

    /// How each loop fares, in the order in which they were started.
    pub(crate) fn health(&self) -> Vec<LoopHealth> {
        self.loops().iter().map(|supervised| lock(&supervised.health).clone()).collect()
    }

    fn loops(&self) -> MutexGuard<'_, Vec<Supervised>> {
        lock(&self.loops)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for supervised in self.loops().iter() {
            supervised.task.abort();
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.health()).finish()
    }
}

async fn run<F, L>(host: Host, health: Arc<Mutex<LoopHealth>>, make: Arc<F>)
where
    F: Fn() -> L + Send + Sync + 'static,
    L: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let mut backoff = Backoff::new(RESTART_FIRST, RESTART_LONGEST);
    loop {
        let started = Instant::now();
        // A task of its own, so that a panic is an answer and not the end of the supervision.
        let make = make.clone();
        let mut attempt = AbortOnDrop(host.spawn(async move { make().await }));
        let message = match (&mut attempt.0).await {
            Ok(Ok(())) => {
                lock(&health).running = false;
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(ended) if ended.is_panic() => format!("panic: {}", panic_message(&*ended.into_panic())),
            // Only a runtime that shuts down cancels it.
            Err(_) => return,
        };
        if started.elapsed() >= HEALTHY_AFTER {
            backoff.reset();
        }
        note_failure(&health, &message);
        backoff.pause().await;
        lock(&health).running = true;
    }
}

fn note_failure(health: &Mutex<LoopHealth>, message: &str) {
    let mut health = lock(health);
    health.running = false;
    health.restarts += 1;
    meter::loop_restarted(&health.name);
    health.last_error = Some(message.to_owned());
    tracing::warn!(
        name = health.name,
        restarts = health.restarts,
        error = message,
        "a background loop failed; it is started again"
    );
}

struct AbortOnDrop(JoinHandle<Result<(), StoreError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}

/// Locks plain data: a panic elsewhere leaves nothing half done in it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::mpsc;

    fn damaged(message: &str) -> StoreError {
        StoreError::Damaged { store: "test".to_owned(), message: message.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_or_fails_is_started_again_and_shown() {
        let supervisor = Supervisor::new(Host::here());
        let (runs, mut seen) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicU32::new(0));
        supervisor.watch("fragile", move || {
            let (runs, run) = (runs.clone(), count.fetch_add(1, Ordering::Relaxed));
            runs.send(run).expect("the test listens");
            assert!(run != 0, "before there is a future");
            async move {
                match run {
                    1 => panic!("in the future"),
                    2 => Err(damaged("as an error")),
                    _ => std::future::pending().await,
                }
            }
        });
        for run in 0..4 {
            assert_eq!(seen.recv().await, Some(run));
        }
        let health = supervisor.health();
        assert_eq!(health[0].restarts, 3);
        assert!(health[0].running);
        assert!(health[0].last_error.as_ref().is_some_and(|error| error.contains("as an error")), "{health:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_told_to_stop_is_not_started_again() {
        let supervisor = Supervisor::new(Host::here());
        let (runs, mut seen) = mpsc::unbounded_channel();
        supervisor.watch("brief", move || {
            let runs = runs.clone();
            async move {
                runs.send(()).expect("the test listens");
                Ok(())
            }
        });
        assert_eq!(seen.recv().await, Some(()));
        // The loop's own sender is gone once its supervision has ended.
        assert_eq!(seen.recv().await, None);
        assert!(!supervisor.health()[0].running);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_supervisor_ends_its_loops() {
        let supervisor = Supervisor::new(Host::here());
        let (alive, mut seen) = mpsc::unbounded_channel::<()>();
        supervisor.watch("endless", move || {
            let alive = alive.clone();
            async move {
                alive.closed().await;
                Ok(())
            }
        });
        drop(supervisor);
        assert_eq!(seen.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_supervisor_ends_a_loop_that_is_in_the_middle_of_something() {
        let supervisor = Supervisor::new(Host::here());
        let (begun, mut began) = mpsc::unbounded_channel();
        let (alive, mut seen) = mpsc::unbounded_channel::<()>();
        supervisor.watch("busy", move || {
            let (begun, alive) = (begun.clone(), alive.clone());
            async move {
                begun.send(()).expect("the test listens");
                alive.closed().await;
                Ok(())
            }
        });
        assert_eq!(began.recv().await, Some(()));
        drop(supervisor);
        let gone = tokio::time::timeout(Duration::from_secs(60), seen.recv()).await;
        assert_eq!(gone, Ok(None), "nothing of it is left");
    }
}
