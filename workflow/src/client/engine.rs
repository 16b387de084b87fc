//! The engine as users hold it: a cheap handle on the running core, and the questions about the whole system.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::builder::{EngineBuilder, Retention};
use super::description::Description;
use super::error::EngineError;
use super::handle::{Get, Untyped, get};
use super::list::List;
use crate::engine::{Core, Health, ShutdownReport};
use crate::journal::command::{Command, Reply};
use crate::store::fsck::Report;
use crate::store::{Overview, Store, StoreError};
use crate::words::time::{Clock, SystemClock, Timestamp};

/// A running engine. Cheap to clone: all clones are the same engine, which stops when the last of them and of its
/// handles is dropped. That is like a crash: [`Engine::shutdown`] hands over first.
///
/// # Crashes
/// An engine has no state of its own that matters: everything acknowledged is in the store. After a crash of the process
/// a new engine on the same store, or another one that runs already, goes on with what was being driven.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    retention: Retention,
    patience: Duration,
    /// For the ids of instances only: every time that matters is the store's.
    clock: SystemClock,
}

impl Engine {
    /// How an engine is made: `Engine::builder().store("sqlite:workflow.db").start().await?`.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    pub(super) fn new(core: Arc<Core>, retention: Retention, patience: Duration) -> Self {
        Self(Arc::new(Inner { core, retention, patience, clock: SystemClock::default() }))
    }

    /// An instance of any workflow, for operators: the same operations as on a typed handle, on JSON values.
    ///
    /// # Errors
    /// Once awaited: [`EngineError::NotFound`], [`EngineError::InvalidId`], or what reading the store gives.
    pub fn instance(&self, id: impl Into<String>) -> Get<Untyped> {
        get(self, id)
    }

    /// Instances page by page, newest first: of one workflow, in one state, created between two times; or by what their
    /// ids begin with.
    pub fn list(&self) -> List {
        List::new(self)
    }

    /// How many instances are in each state and of each workflow, and what no worker knows. No instance is looked at:
    /// entries of indexes are counted. What it costs and how exact it is: see [`Overview`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn overview(&self) -> Result<Overview, EngineError> {
        self.read(|| self.store().overview()).await
    }

    /// Checks everything that the store keeps in this namespace: see [`fsck`](fn@super::fsck), which needs no engine. It reads
    /// everything, for as long as that takes, and changes nothing; workers go on meanwhile.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fsck(&self) -> Result<Report, EngineError> {
        let report = self.store().fsck().await;
        self.core().commands().was_read(&report);
        Ok(report?)
    }

    /// How this engine's background work goes, and what waits for workers that nobody runs.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.core.health()
    }

    /// What this engine is: its store, without secrets, what that survives, and what it serves. The store's facts are those
    /// of when it was opened.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description::of(self.0.core.config())
    }

    /// Stops: claims nothing more, lets the step bodies that run end for as long as `grace`, then hands everything it
    /// held back at once, for other workers to go on with. Bodies that have not ended by then are dropped and will run
    /// again. All clones of this engine stop; calling it again is harmless.
    ///
    /// # Crashes
    /// If the process dies during this, others take over when the lease has passed, as after any crash.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.0.core.shutdown(grace).await
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.0.core.store()
    }

    pub(super) fn retention(&self) -> Retention {
        self.0.retention
    }

    #[cfg(test)]
    pub(super) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// This machine's time: for ids, and for refusing what is absurdly far away.
    pub(super) fn rough_now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Sends a command and waits for its answer, at most as long as the engine's patience.
    pub(super) async fn send(&self, command: Command) -> Result<Reply, EngineError> {
        self.within(self.0.core.commands().send(command)).await
    }

    /// Waits for a write's answer. Giving up does not take the write back.
    pub(super) async fn within<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, EngineError> {
        if !self.store().writable() {
            let message = "it was opened to read from only (mode=ro)".to_owned();
            return Err(StoreError::Refused { store: self.store().describe(), message }.into());
        }
        match tokio::time::timeout(self.0.patience, write).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.no_answer()),
        }
    }

    /// Reads from the store; while it cannot be reached, again and again for as long as the engine's patience.
    pub(super) async fn read<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut latest = None;
        let outcome = tokio::time::timeout(self.0.patience, async {
            let mut pause = Pause::default();
            loop {
                let answer = ask().await;
                self.core().commands().was_read(&answer);
                match answer {
                    Err(error @ StoreError::Unavailable { .. }) => latest = Some(error),
                    other => return other,
                }
                pause.wait().await;
            }
        })
        .await;
        match (outcome, latest) {
            (Ok(answer), _) => Ok(answer?),
            // The store's own words say more than that time is up.
            (Err(_), Some(error)) => Err(error.into()),
            (Err(_), None) => Err(self.no_answer()),
        }
    }

    fn no_answer(&self) -> EngineError {
        EngineError::NoAnswer { store: self.store().describe(), waited: self.0.patience }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("store", &self.store().describe()).finish_non_exhaustive()
    }
}

/// The time between two questions to a store that cannot be reached: 50 ms, doubled up to 5 s.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(50))
    }
}

impl Pause {
    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(5));
    }
}
