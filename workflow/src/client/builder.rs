//! How an engine is put together: its options, their defaults and bounds, and what is checked before anything runs.

use std::sync::Arc;
use std::time::Duration;

use super::bounds;
use super::description::Description;
use super::engine::Engine;
use super::environment::{self, Environment, Url};
use super::error::EngineError;
use super::limits::{self, Limits};
use super::open;
use crate::definition::{Definition, Registration, Resources};
use crate::engine::{self, Config, Core, Host, Mode, VerifyReplay};
use crate::store::Store;
use crate::words::id::{Namespace, QueueName};

/// The store of an engine in mode All that was told of none.
pub(super) const STORE_DEFAULT: &str = "sqlite:workflow.db";
/// The queue of workflows that name none.
const QUEUE_DEFAULT: &str = "default";
const NAMESPACE_DEFAULT: &str = "default";
const CONCURRENCY_DEFAULT: usize = 256;
const LEASE_DEFAULT: Duration = Duration::from_secs(10);
const STICKY_DEFAULT: usize = 1_000;
const PATIENCE_DEFAULT: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which store an engine uses: a url, or one that is open already. Made by `.into()` from either.
#[derive(Debug, Clone)]
pub struct StoreChoice(Choice);

#[derive(Debug, Clone)]
enum Choice {
    Url(Url),
    Open(Arc<dyn Store>),
}

impl From<&str> for StoreChoice {
    fn from(url: &str) -> Self {
        Self(Choice::Url(Url(url.to_owned())))
    }
}

impl From<String> for StoreChoice {
    fn from(url: String) -> Self {
        Self(Choice::Url(Url(url)))
    }
}

impl From<&String> for StoreChoice {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}

impl From<Arc<dyn Store>> for StoreChoice {
    fn from(store: Arc<dyn Store>) -> Self {
        Self(Choice::Open(store))
    }
}

impl<S: Store> From<Arc<S>> for StoreChoice {
    fn from(store: Arc<S>) -> Self {
        Self(Choice::Open(store))
    }
}

/// The workflows an engine serves: a [`Definition`] or a tuple of up to 16 of them.
pub trait Definitions {
    /// Their registrations.
    fn registrations() -> Vec<&'static Registration>;
}

impl<W: Definition> Definitions for W {
    fn registrations() -> Vec<&'static Registration> {
        vec![W::registration()]
    }
}

macro_rules! definitions {
    ($($name:ident)+) => {
        impl<$($name: Definition),+> Definitions for ($($name,)+) {
            fn registrations() -> Vec<&'static Registration> {
                vec![$($name::registration()),+]
            }
        }
    };
}
definitions!(A);
definitions!(A B);
definitions!(A B C);
definitions!(A B C D);
definitions!(A B C D E);
definitions!(A B C D E F);
definitions!(A B C D E F G);
definitions!(A B C D E F G H);
definitions!(A B C D E F G H I);
definitions!(A B C D E F G H I J);
definitions!(A B C D E F G H I J K);
definitions!(A B C D E F G H I J K L);
definitions!(A B C D E F G H I J K L M);
definitions!(A B C D E F G H I J K L M N);
definitions!(A B C D E F G H I J K L M N O);
definitions!(A B C D E F G H I J K L M N O P);

/// What an engine is to be. Made by [`Engine::builder`]; [`EngineBuilder::start`] checks it whole.
#[derive(Debug)]
#[must_use = "an engine does nothing until it is started: call `.start().await`"]
pub struct EngineBuilder {
    store: Option<StoreChoice>,
    mode: Option<Mode>,
    namespace: Option<String>,
    concurrency: Option<usize>,
    queues: Option<Vec<String>>,
    weights: Vec<(String, u32)>,
    limits: Limits,
    resources: Resources,
    only: Option<Vec<&'static Registration>>,
    lease: Option<Duration>,
    retention: Option<Retention>,
    sticky: Option<usize>,
    patience: Option<Duration>,
    verify_replay: Option<VerifyReplay>,
    holds_results: bool,
    host: Option<Host>,
}

/// How long finished instances are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    pub(super) success: Duration,
    pub(super) failure: Duration,
}

impl Retention {
    /// What a workflow says of its instances, when they completed and when they did not, and this where it says nothing.
    pub(super) fn or_of(self, (complete, failed): (Option<Duration>, Option<Duration>)) -> Self {
        Self { success: complete.unwrap_or(self.success), failure: failed.unwrap_or(self.failure) }
    }

    /// Refuses durations over ten years.
    pub(super) fn check(self) -> Result<(), EngineError> {
        let longer = self.success.max(self.failure);
        bounds::retention(longer).map_err(|message| EngineError::option("retention", message))
    }
}

impl EngineBuilder {
    pub(super) fn new() -> Self {
        Self {
            store: None,
            mode: None,
            namespace: None,
            concurrency: None,
            queues: None,
            weights: Vec::new(),
            limits: Limits::default(),
            resources: Resources::default(),
            only: None,
            lease: None,
            retention: None,
            sticky: None,
            patience: None,
            verify_replay: None,
            holds_results: true,
            host: None,
        }
    }

    /// The store: a url (`sqlite:path`, `sqlite::memory:`) or an `Arc` of one that is open.
    ///
    /// Without this it is what the environment variable `WORKFLOW_STORE` says; without that, in mode All only,
    /// `sqlite:workflow.db` in the current folder. Passwords in urls are never shown.
    pub fn store(mut self, store: impl Into<StoreChoice>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// What this engine does: creates and runs (`All`, the default), only creates and asks (`Client`), or is a
    /// process of its own for running (`Worker`).
    ///
    /// On a store that is opened to read from only (`sqlite:path?mode=ro`) it must be `Client`, which then asks only: what
    /// would write is refused at once. A `Client` needs no resources and no workflow code of the right version: it never executes.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Keeps this system apart from others on the same store: 1 to 100 bytes, `default` if not set. Engines see only
    /// instances of their own namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// How many instances this engine drives at once: 1 to 100,000, 256 if not set. An instance that waits for a timer,
    /// an event or a child is not being driven.
    pub fn concurrency(mut self, instances: usize) -> Self {
        self.concurrency = Some(instances);
        self
    }

    /// The queues this engine takes work from. If not set: `default`, and every queue that the workflows it serves name.
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// How much of this engine each of its queues gets, while all of them have work: 1 to 100, 1 for a queue that is not
    /// named. With `[("mail", 3), ("default", 1)]` three of four instances that it takes are of `mail`; what one queue has
    /// no work for goes to the others. If not set, or all are equal, what is ready is taken by its time and priority,
    /// whatever its queue.
    ///
    /// Every engine has its own weights. Only queues that it serves can be named: see [`EngineBuilder::queues`].
    pub fn queue_weights<Q: Into<String>>(mut self, weights: impl IntoIterator<Item = (Q, u32)>) -> Self {
        self.weights = weights.into_iter().map(|(queue, weight)| (queue.into(), weight)).collect();
        self
    }

    /// At most this many instances of a workflow are driven at once, by all workers together: 1 to 1,000,000.
    ///
    /// One that waits for a timer, an event or a child is not being driven, and is given a turn again when it is woken.
    /// What is over the limit waits in its queue, in its order, and is in nobody's way.
    ///
    /// Each engine obeys the limits it was started with, so give all the same; it counts with all others that have one for
    /// the workflow, through the store. A limit is never exceeded; after a crash the instances of the lost worker count
    /// until they are taken over. More in `docs/QUEUES.md`.
    pub fn workflow_concurrency<W: Definition>(self, instances: u32) -> Self {
        self.workflow_concurrency_named(W::registration().name, instances)
    }

    /// As [`EngineBuilder::workflow_concurrency`], by the workflow's name.
    pub fn workflow_concurrency_named(mut self, workflow: impl Into<String>, instances: u32) -> Self {
        self.limits.workflow(workflow.into(), instances);
        self
    }

    /// At most this many runs of a queue are started in any span of `per`, by all workers together: 1 to 1,000,000, in 100
    /// ms to 31 days.
    ///
    /// A start is the first time that a worker takes a run: an instance that was woken goes on at once, whatever the rate.
    /// What is over the rate waits in its queue, in its order.
    ///
    /// As for [`EngineBuilder::workflow_concurrency`], give all engines that serve the queue the same.
    pub fn rate_limit(mut self, queue: impl Into<String>, starts: u32, per: Duration) -> Self {
        self.limits.rate(queue.into(), starts, per);
        self
    }

    /// Gives workflows a value to take as `#[resource] name: &T`. One of each type; a later one replaces an earlier.
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources.insert(resource);
        self
    }

    /// As [`EngineBuilder::resource`], shared with the rest of the program; also for trait objects, which workflows
    /// take as `#[resource] name: &dyn Trait`.
    pub fn resource_arc<T: ?Sized + Send + Sync + 'static>(mut self, resource: Arc<T>) -> Self {
        self.resources.insert(resource);
        self
    }

    /// Serves these workflows instead of all that the program has: `.only::<(order, refund)>()`. Others that come up in
    /// its queues are left for workers that know them.
    pub fn only<W: Definitions>(mut self) -> Self {
        self.only = Some(W::registrations());
        self
    }

    /// How long a worker that stops answering keeps its instances: 500 ms to 10 min, 10 s if not set.
    ///
    /// After a crash others take its instances over between one and two leases later. A lease that is too short makes
    /// live workers under load lose theirs: no harm is done, but bodies run again.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How long finished instances are kept where neither their create nor their workflow (`keep_complete`,
    /// `keep_failed`) says: completed ones (7 days if not set), and
    /// errored and terminated ones (30 days if not set). At most ten years. After that the id is free again.
    pub fn retention(mut self, success: Duration, failure: Duration) -> Self {
        self.retention = Some(Retention { success, failure });
        self
    }

    /// How many waiting instances stay in memory, so that they go on without a replay: up to 1,000,000; 1,000 if not
    /// set, 0 for none.
    pub fn sticky(mut self, instances: usize) -> Self {
        self.sticky = Some(instances);
        self
    }

    /// How long a call waits for a store that cannot be reached before it gives up with [`EngineError::NoAnswer`]: more
    /// than zero, 30 s if not set. Waiting for results, and workers, go on for ever.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Which runs are replayed from their journal when they end, in memory, and compared with what they did: one that does
    /// something else is parked, with both traces, instead of ended. `Always` in tests and debug builds, `Never` in
    /// release builds, if not set. What it costs, and what is true after a crash: see [`VerifyReplay`].
    pub const fn verify_replay(mut self, which: VerifyReplay) -> Self {
        self.verify_replay = Some(which);
        self
    }

    /// Whether the result of a step, wait or sleep may travel with what it leads to at once: the end of the run, or the
    /// write that suspends it. That is one write less for most runs, and `true` if not set. Before another body starts it
    /// is written in any case.
    ///
    /// With `false` each is written by itself as soon as it is there. After a crash between the two writes the run goes on
    /// behind the result; where it was to travel, its body runs again, as after a crash just before any write.
    pub const fn hold_results(mut self, hold: bool) -> Self {
        self.holds_results = hold;
        self
    }

    /// What the engine's tasks and its heart run on, instead of this process: for simulations.
    #[doc(hidden)]
    pub fn host(mut self, host: Host) -> Self {
        self.host = Some(host);
        self
    }

    /// Starts the engine: opens the store, checks the workflows and their resources, and, unless it is a client, begins
    /// to claim work. Must be called inside a tokio runtime.
    ///
    /// What the program does not say is taken from the environment: `WORKFLOW_STORE`, `WORKFLOW_NAMESPACE`,
    /// `WORKFLOW_MODE`, `WORKFLOW_CONCURRENCY`, `WORKFLOW_QUEUES`, `WORKFLOW_LEASE`, `WORKFLOW_RETENTION_SUCCESS`,
    /// `WORKFLOW_RETENTION_FAILURE`, `WORKFLOW_STICKY`, `WORKFLOW_PATIENCE`, `WORKFLOW_VERIFY_REPLAY`; what that does not
    /// say either has its default. Of other variables that begin with `WORKFLOW_` the log warns. When it has started, one
    /// line of the log says what it is: the same as [`Engine::describe`].
    ///
    /// # Errors
    /// - [`EngineError::Option`], [`EngineError::InvalidId`], [`EngineError::Variable`]: an option is out of bounds.
    /// - [`EngineError::NoStore`], [`EngineError::UnknownStore`], [`EngineError::Store`]: there is no such store.
    /// - [`EngineError::Start`]: two workflows have one name and version, or a resource is missing. Both are found
    ///   before anything runs; a client is not asked for resources.
    pub async fn start(self) -> Result<Engine, EngineError> {
        let (environment, strangers) = Environment::read(std::env::vars_os())?;
        for name in strangers {
            tracing::warn!("{}", environment::stranger(&name));
        }
        self.start_in(environment).await
    }

    async fn start_in(self, environment: Environment) -> Result<Engine, EngineError> {
        let namespace = self.check(&environment)?;
        let mode = self.mode.or(environment.mode).unwrap_or_default();
        let workflows = match (mode, self.only) {
            (Mode::Client, _) => Vec::new(),
            (_, Some(only)) => only,
            (_, None) => Registration::all().collect(),
        };
        let (queues, of_environment) = match (self.queues, environment.queues) {
            (None, Some(named)) => {
                let weighed = named.iter().filter_map(|(name, weight)| Some((name.clone(), (*weight)?))).collect();
                (Some(named.into_iter().map(|(name, _)| name).collect()), weighed)
            }
            (queues, _) => (queues, Vec::new()),
        };
        let queues = queues_served(queues, &workflows)?;
        let weights = if self.weights.is_empty() { of_environment } else { self.weights };
        let weights = limits::weights(&weights, &queues)?;
        let limits = self.limits.check()?;
        if mode != Mode::Client {
            // Before the store: what cannot be served shall not make a file or lay out a server.
            engine::check(&workflows, &self.resources)?;
            for idle in limits::idle(&limits, &queues, &workflows) {
                tracing::warn!("{idle}");
            }
        }
        let store = match choose(self.store, environment.store, mode)?.0 {
            Choice::Open(store) => store,
            Choice::Url(url) => open::open(&url.0, &namespace).await?,
        };
        if mode != Mode::Client && !store.writable() {
            let message =
                "the store is opened to read from only (mode=ro): `.mode(Mode::Client)` is the one that can be";
            return Err(EngineError::option("mode", message));
        }
        let config = Config {
            store,
            mode,
            namespace,
            concurrency: self.concurrency.or(environment.concurrency).unwrap_or(CONCURRENCY_DEFAULT),
            queues,
            weights,
            limits,
            lease: self.lease.or(environment.lease).unwrap_or(LEASE_DEFAULT),
            resources: self.resources,
            workflows,
            sticky: self.sticky.or(environment.sticky).unwrap_or(STICKY_DEFAULT),
            verify_replay: self.verify_replay.or(environment.verify_replay).unwrap_or_default(),
            holds_results: self.holds_results,
            host: self.host.unwrap_or_else(Host::here),
        };
        let retention = self.retention.unwrap_or(Retention {
            success: environment.retention_success.unwrap_or(7 * DAY),
            failure: environment.retention_failure.unwrap_or(30 * DAY),
        });
        let patience = self.patience.or(environment.patience).unwrap_or(PATIENCE_DEFAULT);
        let core = Core::start(config).await?;
        Description::of(core.config()).log();
        Ok(Engine::new(core, retention, patience))
    }

    /// Checks what the program says; what the environment says was checked when it was read.
    fn check(&self, environment: &Environment) -> Result<Namespace, EngineError> {
        check("concurrency", self.concurrency, bounds::concurrency)?;
        check("lease", self.lease, bounds::lease)?;
        check("sticky", self.sticky, bounds::sticky)?;
        check("patience", self.patience, bounds::patience)?;
        check("verify_replay", self.verify_replay, bounds::verify_replay)?;
        if let Some(retention) = self.retention {
            retention.check()?;
        }
        let namespace = self.namespace.as_deref().or(environment.namespace.as_deref());
        Ok(Namespace::new(namespace.unwrap_or(NAMESPACE_DEFAULT))?)
    }
}

fn check<T>(option: &'static str, value: Option<T>, bounds: fn(T) -> Result<(), String>) -> Result<(), EngineError> {
    match value {
        Some(value) => bounds(value).map_err(|message| EngineError::option(option, message)),
        None => Ok(()),
    }
}

/// Which store: what the program says, else the environment, else the default of mode All.
fn choose(told: Option<StoreChoice>, variable: Option<Url>, mode: Mode) -> Result<StoreChoice, EngineError> {
    match (told, variable, mode) {
        (Some(told), _, _) => Ok(told),
        (None, Some(url), _) => Ok(StoreChoice(Choice::Url(url))),
        (None, None, Mode::All) => Ok(StoreChoice::from(STORE_DEFAULT)),
        (None, None, mode) => Err(EngineError::NoStore { mode }),
    }
}

/// Which queues: those asked for, else `default` and those the workflows name.
fn queues_served(asked: Option<Vec<String>>, workflows: &[&Registration]) -> Result<Vec<QueueName>, EngineError> {
    let names = match asked {
        Some(asked) if asked.is_empty() => return Err(EngineError::option("queues", "name at least one")),
        Some(asked) => asked,
        None => std::iter::once(QUEUE_DEFAULT).chain(workflows.iter().map(|w| w.queue)).map(str::to_owned).collect(),
    };
    let mut queues = names.iter().map(QueueName::new).collect::<Result<Vec<_>, _>>()?;
    queues.sort();
    queues.dedup();
    Ok(queues)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(choice: &StoreChoice) -> &str {
        match &choice.0 {
            Choice::Url(url) => &url.0,
            Choice::Open(store) => panic!("not a url: {store:?}"),
        }
    }

    #[test]
    fn the_program_comes_before_the_environment_and_that_before_the_default() {
        let choose = |told: Option<&str>, variable: Option<&str>, mode| {
            choose(told.map(StoreChoice::from), variable.map(|url| Url(url.to_owned())), mode)
        };
        let told = choose(Some("sqlite:a"), Some("sqlite:b"), Mode::Client).expect("told");
        assert_eq!(url(&told), "sqlite:a");
        let variable = choose(None, Some("sqlite:b"), Mode::All).expect("in the environment");
        assert_eq!(url(&variable), "sqlite:b");
        assert_eq!(url(&choose(None, None, Mode::All).expect("the default")), STORE_DEFAULT);
    }

    #[test]
    fn only_mode_all_has_a_default_store() {
        for mode in [Mode::Client, Mode::Worker] {
            let error = choose(None, None, mode).expect_err("no default");
            assert_eq!(error.code(), "no_store");
            assert!(error.to_string().contains(environment::STORE), "{error}");
        }
    }

    #[test]
    fn a_url_is_not_shown_by_the_builder() {
        let shown = format!("{:?}", EngineBuilder::new().store("redis://:s3cret@host/"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn options_are_refused_at_their_bounds() {
        let refused = |builder: EngineBuilder| {
            let error = builder.check(&Environment::default()).expect_err("out of bounds");
            assert_eq!(error.code(), "option");
            error.to_string()
        };
        assert!(refused(EngineBuilder::new().concurrency(0)).starts_with("concurrency: "));
        assert!(refused(EngineBuilder::new().lease(Duration::from_millis(499))).starts_with("lease: "));
        assert!(refused(EngineBuilder::new().retention(DAY, 3651 * DAY)).starts_with("retention: "));
        assert!(refused(EngineBuilder::new().retention(3651 * DAY, DAY)).starts_with("retention: "));
        assert!(refused(EngineBuilder::new().sticky(1_000_001)).starts_with("sticky: "));
        assert!(refused(EngineBuilder::new().patience(Duration::ZERO)).starts_with("patience: "));
        let part = VerifyReplay::Sampled(1.1);
        assert!(refused(EngineBuilder::new().verify_replay(part)).starts_with("verify_replay: "));
        let error = EngineBuilder::new().namespace("a b").check(&Environment::default()).expect_err("a space");
        assert!(error.to_string().contains("the namespace"), "{error}");
    }

    /// What an engine of this builder in this environment is: mode, namespace, concurrency, queues and lease.
    async fn started(builder: EngineBuilder, environment: Environment) -> (Mode, String, usize, Vec<String>, Duration) {
        let environment = Environment { store: Some(Url("sqlite::memory:".to_owned())), ..environment };
        let engine =
            EngineBuilder { only: Some(Vec::new()), ..builder }.start_in(environment).await.expect("it starts");
        let config = engine.core().config();
        let queues = config.queues.iter().map(ToString::to_string).collect();
        (config.mode, config.namespace.to_string(), config.concurrency, queues, config.lease)
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn each_option_is_taken_from_the_program_else_the_environment_else_its_default() {
        let second = Duration::from_secs(1);
        let environment = || Environment {
            mode: Some(Mode::Worker),
            namespace: Some("there".to_owned()),
            concurrency: Some(7),
            queues: Some(vec![("far".to_owned(), None)]),
            lease: Some(2 * second),
            ..Environment::default()
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let defaults = started(EngineBuilder::new(), Environment::default()).await;
        assert_eq!(defaults, (Mode::All, "default".to_owned(), 256, owned(&["default"]), 10 * second));
        let of_environment = started(EngineBuilder::new(), environment()).await;
        assert_eq!(of_environment, (Mode::Worker, "there".to_owned(), 7, owned(&["far"]), 2 * second));
        let told =
            EngineBuilder::new().mode(Mode::Client).namespace("here").concurrency(9).queues(["near"]).lease(second);
        let told = started(told, environment()).await;
        assert_eq!(told, (Mode::Client, "here".to_owned(), 9, owned(&["near"]), second));
    }

    #[tokio::test]
    async fn a_url_of_the_environment_is_not_shown_when_it_is_refused() {
        for url in ["redis://u:s3cret@127.0.0.1:1/3", "redis://u:s3cret@h:port", "sqlite:a?key=s3cret", "s3cret"] {
            let environment = Environment { store: Some(Url(url.to_owned())), ..Environment::default() };
            let builder = EngineBuilder { only: Some(Vec::new()), ..EngineBuilder::new() };
            let error = builder.start_in(environment).await.expect_err(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn retention_and_patience_too() {
        let second = Duration::from_secs(1);
        let environment = || Environment {
            store: Some(Url("sqlite::memory:".to_owned())),
            retention_failure: Some(3 * second),
            patience: Some(4 * second),
            sticky: Some(5),
            verify_replay: Some(VerifyReplay::Sampled(0.5)),
            ..Environment::default()
        };
        let engine = EngineBuilder { only: Some(Vec::new()), ..EngineBuilder::new() }
            .start_in(environment())
            .await
            .expect("it starts");
        assert_eq!((engine.retention().success, engine.retention().failure), (7 * DAY, 3 * second));
        assert_eq!((engine.core().config().sticky, engine.patience()), (5, 4 * second));
        assert_eq!(engine.core().config().verify_replay, VerifyReplay::Sampled(0.5));
        assert!(engine.core().config().holds_results);
        let told = EngineBuilder::new().retention(second, second).patience(second).sticky(6);
        let told = told.verify_replay(VerifyReplay::Never).hold_results(false);
        let engine = EngineBuilder { only: Some(Vec::new()), ..told }.start_in(environment()).await.expect("it starts");
        assert_eq!((engine.retention().success, engine.retention().failure), (second, second));
        assert_eq!((engine.core().config().sticky, engine.patience()), (6, second));
        assert_eq!(engine.core().config().verify_replay, VerifyReplay::Never);
        assert!(!engine.core().config().holds_results);
    }

    #[test]
    fn the_default_queue_is_served_unless_others_are_asked_for() {
        let names = |asked: Option<Vec<String>>| {
            queues_served(asked, &[]).expect("valid").iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["default"]);
        assert_eq!(names(Some(vec!["b".to_owned(), "a".to_owned(), "b".to_owned()])), ["a", "b"]);
        assert_eq!(queues_served(Some(Vec::new()), &[]).expect_err("none").code(), "option");
        assert_eq!(queues_served(Some(vec!["a b".to_owned()]), &[]).expect_err("invalid").code(), "invalid_id");
    }
}
