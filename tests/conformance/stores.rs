//! The stores under test. A new store adds a function here and a module to each macro.

use std::sync::Arc;

use support::redis::RedisServer;
use support::redis::cluster::RedisCluster;
use tempfile::TempDir;
use tokio::runtime::Builder;
use workflow::store::Store;
use workflow::store::model::ModelStore;
use workflow::store::redis::RedisStore;
use workflow::store::sqlite::SqliteStore;
use workflow::words::id::Namespace;
use workflow::words::time::Clock;

use crate::world::{Kept, Opened, World};

/// The model itself.
pub(crate) fn model() -> World {
    World::new(|clock, _| Opened { store: Arc::new(ModelStore::new(clock)), kept: None })
}

/// SQLite in memory.
pub(crate) fn sqlite_memory() -> World {
    World::new(|clock, _| Opened { store: sqlite("sqlite::memory:", clock), kept: None })
}

/// SQLite in a file.
pub(crate) fn sqlite_file() -> World {
    World::new(|clock, kept| {
        let folder = match kept {
            Some(Kept::Folder(folder)) => folder,
            _ => TempDir::new().expect("a temporary folder"),
        };
        // What is tested is what is written, not how it survives the machine: that is for `durability`.
        let url = format!("sqlite:{}?synchronous=normal", folder.path().join("store.db").display());
        Opened { store: sqlite(&url, clock), kept: Some(Kept::Folder(folder)) }
    })
}

fn sqlite(url: &str, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    let namespace = Namespace::new("conformance").expect("valid");
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    Arc::new(runtime.block_on(SqliteStore::open(url, &namespace, clock)).expect("it opens"))
}

/// Redis, on a server of its own, with the index of ids that lists by id need.
pub(crate) fn redis() -> World {
    World::new(|clock, kept| {
        let server = match kept {
            Some(Kept::Server(server)) => server,
            // As the docs say a user should be.
            _ => RedisServer::start_restricted(),
        };
        let namespace = Namespace::new("conformance").expect("valid");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("{}?ids=1", server.url());
        let store = runtime.block_on(RedisStore::open_with(&url, &namespace, Some(clock))).expect("it opens");
        let store = Arc::new(store);
        Opened { store, kept: Some(Kept::Server(server)) }
    })
}

/// Carries out a test on a world, and sees that what it leaves behind is sound.
pub(crate) fn run(test: fn(&mut World), mut world: World) {
    test(&mut world);
    world.is_sound();
}

/// Redis, on a cluster that all tests of this process share: each world in a namespace of its own, and so on one of the
/// three primaries.
pub(crate) fn redis_cluster() -> World {
    let namespace = Namespace::new(support::stage::on_the_cluster("conformance")).expect("valid");
    World::new(move |clock, _| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("{}?ids=1&partitions=1", RedisCluster::shared().url());
        let store = runtime.block_on(RedisStore::open_with(&url, &namespace, Some(clock))).expect("it opens");
        Opened { store: Arc::new(store), kept: None }
    })
}

/// Makes a test of each function for each store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod model {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::model()); })*
        }
        mod sqlite_memory {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::sqlite_memory()); })*
        }
        mod sqlite_file {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::sqlite_file()); })*
        }
        mod redis {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::redis()); })*
        }
        mod redis_cluster {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::redis_cluster()); })*
        }
    };
}

/// Makes a test of each function for each store that outlives its process.
macro_rules! on_stores_that_survive {
    ($($name:ident),* $(,)?) => {
        mod sqlite_file {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::sqlite_file()); })*
        }
        mod redis {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::redis()); })*
        }
        mod redis_cluster {
            $(#[test] fn $name() { $crate::stores::run(super::$name, $crate::stores::redis_cluster()); })*
        }
    };
}

/// Makes a test of each function for each way to open a store that is not the model.
macro_rules! on_every_other_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite_memory {
            $(#[test] fn $name() { super::$name($crate::stores::sqlite_memory); })*
        }
        mod sqlite_file {
            $(#[test] fn $name() { super::$name($crate::stores::sqlite_file); })*
        }
        mod redis {
            $(#[test] fn $name() { super::$name($crate::stores::redis); })*
        }
        mod redis_cluster {
            $(#[test] fn $name() { super::$name($crate::stores::redis_cluster); })*
        }
    };
}
