//! One store under test with everything around it: its folder, its engines, and the witness of what ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::prelude::*;
use workflow::store::Store;

use crate::redis::RedisServer;
use crate::redis::cluster::RedisCluster;
use crate::witness::Witness;

/// How long a lease is in tests that do not crash anything: long enough for a machine that does much else.
const LEASE: Duration = Duration::from_secs(10);

/// How long a lease is in tests that crash engines: recovery takes a little longer than this.
pub const SHORT_LEASE: Duration = Duration::from_millis(500);

/// The stores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// SQLite in memory: one store object shared by all engines of the test.
    SqliteMemory,
    /// SQLite on a file: every engine opens it anew, as processes would.
    SqliteFile,
    /// Redis, on a server of the test's own.
    Redis,
    /// The same, in several partitions.
    RedisPartitioned,
    /// A cluster that all tests of the process share, each in a namespace of its own.
    RedisCluster,
}

impl StoreKind {
    /// Whether it is on Redis, however it is reached.
    #[must_use]
    pub const fn is_redis(self) -> bool {
        matches!(self, Self::Redis | Self::RedisPartitioned | Self::RedisCluster)
    }
}

/// One store under test, and what goes with it.
///
/// Engines that it gives out are stopped by dropping them; the folder goes when the stage does.
#[derive(Debug)]
pub struct Stage {
    /// Which store it is.
    pub kind: StoreKind,
    /// What step bodies did: the resource that every engine of the stage has.
    pub witness: Witness,
    folder: TempDir,
    shared: Option<Arc<dyn Store>>,
    /// The server, where the store is on one of its own.
    pub server: Option<RedisServer>,
    namespace: String,
}

/// A namespace that nobody else in this process has.
#[must_use]
pub fn on_the_cluster(name: &str) -> String {
    static NAMED: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}", NAMED.fetch_add(1, Ordering::Relaxed))
}

impl Stage {
    /// A new, empty store.
    ///
    /// # Panics
    /// When there is no place for it.
    pub async fn new(kind: StoreKind) -> Self {
        let folder = tempfile::tempdir().expect("a test can have a temporary folder");
        let shared = match kind {
            StoreKind::SqliteMemory => Some(in_memory("default").await),
            _ => None,
        };
        let on_redis = matches!(kind, StoreKind::Redis | StoreKind::RedisPartitioned);
        let server = on_redis.then(RedisServer::start);
        let namespace = match kind {
            StoreKind::RedisCluster => on_the_cluster("stage"),
            _ => "default".to_owned(),
        };
        Self { kind, witness: Witness::default(), folder, shared, server, namespace }
    }

    /// The url under which another process finds the store; in memory there is none.
    #[must_use]
    pub fn url(&self) -> String {
        match self.kind {
            StoreKind::SqliteMemory => "sqlite::memory:".to_owned(),
            StoreKind::SqliteFile => format!("sqlite:{}", self.folder.path().join("store.db").display()),
            StoreKind::Redis => self.server().url(),
            StoreKind::RedisPartitioned => format!("{}?partitions=3", self.server().url()),
            // So that each of the three primaries has some.
            StoreKind::RedisCluster => format!("{}?partitions=6", RedisCluster::shared().url()),
        }
    }

    /// The namespace of its engines.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn server(&self) -> &RedisServer {
        self.server.as_ref().expect("a stage on Redis has a server")
    }

    /// The temporary folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// An engine on this store, in mode All, with the witness as its resource.
    pub fn builder(&self) -> EngineBuilder {
        let builder = Engine::builder().resource(self.witness.clone()).lease(LEASE).namespace(&*self.namespace);
        match &self.shared {
            Some(store) => builder.store(Arc::clone(store)),
            None => builder.store(self.url()),
        }
    }

    /// The store itself, as an engine would have it.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn store(&self) -> Arc<dyn Store> {
        match &self.shared {
            Some(store) => Arc::clone(store),
            None => {
                workflow::open_store(&self.url(), &self.namespace).await.expect("the store of a test can be opened")
            }
        }
    }

    /// The same in a namespace of its own.
    pub async fn builder_in(&self, namespace: &str) -> EngineBuilder {
        let builder = self.builder();
        match self.kind {
            // What is in memory is one namespace of one store object.
            StoreKind::SqliteMemory => builder.namespace(namespace).store(in_memory(namespace).await),
            StoreKind::RedisCluster => builder.namespace(format!("{}-{namespace}", self.namespace)),
            StoreKind::SqliteFile | StoreKind::Redis | StoreKind::RedisPartitioned => builder.namespace(namespace),
        }
    }

    /// Starts an engine that can be crashed, on a runtime of its own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn crashable(&self, builder: EngineBuilder) -> CrashableEngine {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a test can have a runtime");
        let started = runtime.spawn(builder.start()).await.expect("starting does not panic");
        CrashableEngine { engine: started.expect("the engine starts"), runtime }
    }

    /// Ends an engine in order, so that nothing runs any more when this returns.
    pub async fn stop(&self, engine: Engine) {
        engine.shutdown(crate::wait::PATIENCE).await;
    }
}

/// An engine whose end is a crash: every task stops where it stands, nothing is handed over.
#[derive(Debug)]
pub struct CrashableEngine {
    engine: Engine,
    runtime: Runtime,
}

impl CrashableEngine {
    /// Crashes it. When this returns its threads are gone: what the test lets go afterwards can end nothing there.
    ///
    /// # Panics
    /// When they do not go.
    pub fn crash(self) {
        let Self { engine, runtime } = self;
        // On another thread, as a runtime cannot be waited for from within one.
        let end = std::thread::spawn(move || runtime.shutdown_timeout(crate::wait::PATIENCE));
        end.join().expect("a runtime can be ended");
        drop(engine);
    }
}

impl std::ops::Deref for CrashableEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

async fn in_memory(namespace: &str) -> Arc<dyn Store> {
    workflow::open_store("sqlite::memory:", namespace).await.expect("a store in memory can always be opened")
}
