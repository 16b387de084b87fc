//! What a run stands on: the store, and who creates and works there.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use workflow::store::Store;
use workflow::{Engine, Mode, StoreChoice, open_store};

use crate::AnyError;
use crate::cli::{Results, Start};
use crate::crew::Crew;
use crate::gauge::Gauge;
use crate::plan::Plan;
use crate::process::most_memory_mb;
use crate::server::Place;

/// How long what is under way may take to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The store of a run, and who uses it.
pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) place: &'a Place,
    pub(crate) crew: Crew,
    namespace: String,
    /// The store in memory, which engines must share. Any other each opens for itself, as in processes of their own.
    shared: Option<Arc<dyn Store>>,
    engines: Vec<Engine>,
}

impl<'a> Stage<'a> {
    /// Nobody is there yet.
    ///
    /// # Errors
    /// When there can be no such store in memory.
    pub(crate) async fn of(plan: &'a Plan, place: &'a Place) -> Result<Self, AnyError> {
        let namespace = if place.is_own() { "default".to_owned() } else { fresh_namespace() };
        let shared = if place.can_be_shared() { None } else { Some(open_store(&place.url, &namespace).await?) };
        Ok(Self { plan, place, crew: Crew::default(), namespace, shared, engines: Vec::new() })
    }

    /// Starts who creates and who works: one engine for both where instances start locally.
    ///
    /// # Errors
    /// When an engine or a worker process does not start.
    pub(crate) async fn staff(&mut self) -> Result<Engine, AnyError> {
        match self.plan.start {
            Start::Local => self.engine(Mode::All).await,
            Start::Queued => {
                let client = self.engine(Mode::Client).await?;
                self.start_workers().await?;
                Ok(client)
            }
        }
    }

    /// Starts one engine in this process.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn engine(&mut self, mode: Mode) -> Result<Engine, AnyError> {
        let store = self.shared.clone().map_or_else(|| StoreChoice::from(&self.place.url), StoreChoice::from);
        let builder = Engine::builder().store(store).namespace(&*self.namespace).mode(mode);
        let builder = builder.concurrency(self.plan.in_flight).hold_results(self.plan.results == Results::Held);
        let engine = builder.start().await?;
        self.engines.push(engine.clone());
        Ok(engine)
    }

    /// Starts those that work: processes of their own, if so planned, or else an engine in this one.
    ///
    /// # Errors
    /// As [`Stage::staff`].
    pub(crate) async fn start_workers(&mut self) -> Result<(), AnyError> {
        if self.plan.processes == 0 {
            self.engine(Mode::Worker).await?;
        } else {
            self.crew = Crew::start(self.plan, &self.place.url, &self.namespace).await?;
        }
        Ok(())
    }

    /// Begins to measure.
    ///
    /// # Errors
    /// When the server or a worker process is gone.
    pub(crate) fn begin(&self) -> Result<Gauge, AnyError> {
        Gauge::begin(self)
    }

    /// The most memory that a process that works has had.
    ///
    /// # Errors
    /// When a worker process is gone.
    pub(crate) fn most_memory_mb(&self) -> Result<f64, AnyError> {
        if self.crew.is_empty() { most_memory_mb("self") } else { self.crew.most_memory_mb() }
    }

    /// What keeps the data: `Redis 7.0.15`.
    ///
    /// # Errors
    /// When a server does not say.
    pub(crate) fn server(&self) -> Result<String, AnyError> {
        if let Some(engine) = self.engines.first() {
            return Ok(engine.describe().server);
        }
        self.place.watch()?.ok_or("nobody knows the store")?.name()
    }

    /// Ends all who create and work.
    ///
    /// # Errors
    /// When a worker process does not end well.
    pub(crate) async fn dismiss(&mut self) -> Result<(), AnyError> {
        for engine in self.engines.drain(..) {
            engine.shutdown(GRACE).await;
        }
        self.crew.end().await
    }
}

/// A namespace that nobody has used.
fn fresh_namespace() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("bench-{:x}", since.as_nanos())
}
