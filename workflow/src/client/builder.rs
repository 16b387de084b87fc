//! How an engine is put together: its options, their defaults and bounds, and what is checked before anything runs.

use std::env::VarError;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::error::EngineError;
use super::limits::{self, Limits};
use super::open;
use crate::definition::{Definition, Registration, Resources};
use crate::engine::{Config, Core, Mode, VerifyReplay};
use crate::store::Store;
use crate::words::id::{Namespace, QueueName};
use crate::words::limits::DURATION_MS_MAX;

/// The environment variable that names the store where the program does not.
pub(super) const STORE_VARIABLE: &str = "WORKFLOW_STORE";
/// The store of an engine in mode All that was told of none.
pub(super) const STORE_DEFAULT: &str = "sqlite:workflow.db";
/// The queue of workflows that name none.
const QUEUE_DEFAULT: &str = "default";
const LEASE_MIN: Duration = Duration::from_millis(500);
const LEASE_MAX: Duration = Duration::from_secs(600);
const CONCURRENCY_MAX: usize = 100_000;
const STICKY_MAX: usize = 1_000_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which store an engine uses: a url, or one that is open already. Made by `.into()` from either.
#[derive(Debug, Clone)]
pub struct StoreChoice(Choice);

#[derive(Debug, Clone)]
enum Choice {
    Url(Secret),
    Open(Arc<dyn Store>),
}

/// A url that may hold a password: never shown.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<url>")
    }
}

impl From<&str> for StoreChoice {
    fn from(url: &str) -> Self {
        Self(Choice::Url(Secret(url.to_owned())))
    }
}

impl From<String> for StoreChoice {
    fn from(url: String) -> Self {
        Self(Choice::Url(Secret(url)))
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
    mode: Mode,
    namespace: String,
    concurrency: usize,
    queues: Option<Vec<String>>,
    weights: Vec<(String, u32)>,
    limits: Limits,
    resources: Resources,
    only: Option<Vec<&'static Registration>>,
    lease: Duration,
    retention: Retention,
    sticky: usize,
    patience: Duration,
    verify_replay: VerifyReplay,
}

/// How long finished instances are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    pub(super) success: Duration,
    pub(super) failure: Duration,
}

impl Retention {
    /// Refuses durations over ten years.
    pub(super) fn check(self) -> Result<(), EngineError> {
        let most = Duration::from_millis(DURATION_MS_MAX.unsigned_abs());
        if self.success.max(self.failure) > most {
            return Err(EngineError::option("retention", "the longest is ten years of 365 days"));
        }
        Ok(())
    }
}

impl EngineBuilder {
    pub(super) fn new() -> Self {
        Self {
            store: None,
            mode: Mode::All,
            namespace: "default".to_owned(),
            concurrency: 256,
            queues: None,
            weights: Vec::new(),
            limits: Limits::default(),
            resources: Resources::default(),
            only: None,
            lease: Duration::from_secs(10),
            retention: Retention { success: 7 * DAY, failure: 30 * DAY },
            sticky: 1_000,
            patience: Duration::from_secs(30),
            verify_replay: VerifyReplay::default(),
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
    /// A `Client` needs no resources and no workflow code of the right version: it never executes.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Keeps this system apart from others on the same store: 1 to 100 bytes, `default` if not set. Engines see only
    /// instances of their own namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How many instances this engine drives at once: 1 to 100,000, 256 if not set. An instance that waits for a timer,
    /// an event or a child is not being driven.
    pub fn concurrency(mut self, instances: usize) -> Self {
        self.concurrency = instances;
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
        self.lease = lease;
        self
    }

    /// How long finished instances are kept where their create does not say: completed ones (7 days if not set), and
    /// errored and terminated ones (30 days if not set). At most ten years. After that the id is free again.
    pub fn retention(mut self, success: Duration, failure: Duration) -> Self {
        self.retention = Retention { success, failure };
        self
    }

    /// How many waiting instances stay in memory, so that they go on without a replay: up to 1,000,000; 1,000 if not
    /// set, 0 for none.
    pub fn sticky(mut self, instances: usize) -> Self {
        self.sticky = instances;
        self
    }

    /// How long a call waits for a store that cannot be reached before it gives up with [`EngineError::NoAnswer`]: more
    /// than zero, 30 s if not set. Waiting for results, and workers, go on for ever.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Which runs are replayed from their journal when they end, in memory, and compared with what they did: one that does
    /// something else is parked, with both traces, instead of ended. `Always` in tests and debug builds, `Never` in
    /// release builds, if not set. What it costs, and what is true after a crash: see [`VerifyReplay`].
    pub const fn verify_replay(mut self, which: VerifyReplay) -> Self {
        self.verify_replay = which;
        self
    }

    /// Starts the engine: opens the store, checks the workflows and their resources, and, unless it is a client, begins
    /// to claim work. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// - [`EngineError::Option`], [`EngineError::InvalidId`]: an option is out of bounds.
    /// - [`EngineError::NoStore`], [`EngineError::UnknownStore`], [`EngineError::Store`]: there is no such store.
    /// - [`EngineError::Start`]: two workflows have one name and version, or a resource is missing. Both are found
    ///   before anything runs; a client is not asked for resources.
    pub async fn start(self) -> Result<Engine, EngineError> {
        let namespace = self.check()?;
        let workflows = match (self.mode, self.only) {
            (Mode::Client, _) => Vec::new(),
            (_, Some(only)) => only,
            (_, None) => Registration::all().collect(),
        };
        let queues = queues_served(self.queues, &workflows)?;
        let weights = limits::weights(&self.weights, &queues)?;
        let limits = self.limits.check()?;
        let store = match choose(self.store, store_of_environment()?, self.mode)?.0 {
            Choice::Open(store) => store,
            Choice::Url(url) => open::open(&url.0, &namespace).await?,
        };
        let config = Config {
            store,
            mode: self.mode,
            namespace,
            concurrency: self.concurrency,
            queues,
            weights,
            limits,
            lease: self.lease,
            resources: self.resources,
            workflows,
            sticky: self.sticky,
            verify_replay: self.verify_replay,
        };
        let core = Core::start(config).await?;
        Ok(Engine::new(core, self.retention, self.patience))
    }

    fn check(&self) -> Result<Namespace, EngineError> {
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return Err(EngineError::option("concurrency", format_args!("it must be from 1 to {CONCURRENCY_MAX}")));
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            return Err(EngineError::option("lease", format_args!("it must be from {LEASE_MIN:?} to {LEASE_MAX:?}")));
        }
        if self.sticky > STICKY_MAX {
            return Err(EngineError::option("sticky", format_args!("it must be at most {STICKY_MAX}")));
        }
        if self.patience.is_zero() {
            return Err(EngineError::option("patience", "it must be more than zero"));
        }
        if !self.verify_replay.is_valid() {
            return Err(EngineError::option("verify_replay", "the part of `Sampled` must be from 0.0 to 1.0"));
        }
        self.retention.check()?;
        Ok(Namespace::new(&self.namespace)?)
    }
}

fn store_of_environment() -> Result<Option<String>, EngineError> {
    match std::env::var(STORE_VARIABLE) {
        Ok(url) => Ok(Some(url)),
        Err(VarError::NotPresent) => Ok(None),
        // What it holds is not repeated: it may be a secret.
        Err(VarError::NotUnicode(_)) => Err(EngineError::option(STORE_VARIABLE, "it is not Unicode text")),
    }
}

/// Which store: what the program says, else the environment, else the default of mode All.
fn choose(told: Option<StoreChoice>, variable: Option<String>, mode: Mode) -> Result<StoreChoice, EngineError> {
    let variable = variable.filter(|url| !url.is_empty());
    match (told, variable, mode) {
        (Some(told), _, _) => Ok(told),
        (None, Some(url), _) => Ok(StoreChoice::from(url)),
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
            choose(told.map(StoreChoice::from), variable.map(str::to_owned), mode)
        };
        let told = choose(Some("sqlite:a"), Some("sqlite:b"), Mode::Client).expect("told");
        assert_eq!(url(&told), "sqlite:a");
        let variable = choose(None, Some("sqlite:b"), Mode::All).expect("in the environment");
        assert_eq!(url(&variable), "sqlite:b");
        assert_eq!(url(&choose(None, Some(""), Mode::All).expect("the default")), STORE_DEFAULT);
    }

    #[test]
    fn only_mode_all_has_a_default_store() {
        for mode in [Mode::Client, Mode::Worker] {
            let error = choose(None, None, mode).expect_err("no default");
            assert_eq!(error.code(), "no_store");
            assert!(error.to_string().contains(STORE_VARIABLE), "{error}");
        }
    }

    #[test]
    fn a_url_is_not_shown_by_the_builder() {
        let shown = format!("{:?}", EngineBuilder::new().store("redis://:s3cret@host/"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn options_are_refused_at_their_bounds() {
        let code = |builder: EngineBuilder| builder.check().expect_err("out of bounds").to_string();
        assert!(code(EngineBuilder::new().concurrency(0)).starts_with("concurrency: "));
        assert!(code(EngineBuilder::new().concurrency(100_001)).starts_with("concurrency: "));
        assert!(code(EngineBuilder::new().lease(Duration::from_millis(499))).starts_with("lease: "));
        assert!(code(EngineBuilder::new().lease(Duration::from_secs(601))).starts_with("lease: "));
        assert!(code(EngineBuilder::new().retention(DAY, 3651 * DAY)).starts_with("retention: "));
        assert!(code(EngineBuilder::new().sticky(1_000_001)).starts_with("sticky: "));
        assert!(code(EngineBuilder::new().patience(Duration::ZERO)).starts_with("patience: "));
        for part in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let builder = EngineBuilder::new().verify_replay(VerifyReplay::Sampled(part));
            assert!(code(builder).starts_with("verify_replay: "), "{part}");
        }
        for part in [0.0, 0.5, 1.0] {
            EngineBuilder::new().verify_replay(VerifyReplay::Sampled(part)).check().expect("within bounds");
        }
        assert!(code(EngineBuilder::new().namespace("a b")).contains("the namespace"));
        EngineBuilder::new().lease(LEASE_MIN).concurrency(1).sticky(0).check().expect("within bounds");
        EngineBuilder::new().lease(LEASE_MAX).concurrency(CONCURRENCY_MAX).check().expect("within bounds");
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
