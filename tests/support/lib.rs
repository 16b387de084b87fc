//! The harness that the test binaries share: stores by name, engines and their crashes, worker processes, a record of
//! what step bodies did that is kept outside the store, and ways of waiting for conditions.
//!
//! Owns no assertion about workflows; those are the tests' own. See `README.md` beside this folder.

pub mod chance;
pub mod chores;
pub mod clock;
pub mod effects;
pub mod errands;
pub mod examples;
pub mod failpoints;
pub mod impostor;
pub mod in_front;
pub mod ledger;
pub mod load;
pub mod logs;
pub mod overhear;
pub mod poison;
pub mod power;
pub mod preload;
pub mod prelude;
pub mod process;
pub mod proxy;
pub mod receipts;
pub mod redis;
pub mod size;
pub mod stage;
pub mod tls;
pub mod versions;
pub mod wait;
pub mod witness;
pub mod worker;

use std::future::Future;
use std::time::Duration;

use crate::size::Amount;
pub use crate::stage::{Stage, StoreKind};

/// What a test returns: any error fails it with its message.
pub type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The longest a test may take, on a machine that does much else: only a test that hangs takes it.
const TEST_SECONDS_MAX: u64 = 400;

/// How many hours more it may take where more is tried. Who asks for a number of cases sees for himself.
const HOURS_MORE: Amount = Amount::of(0, 6, 36);

/// Runs one test on one store.
///
/// # Panics
/// When the test fails, or is not over after several minutes.
pub fn run<F, Fut>(kind: StoreKind, test: F)
where
    F: FnOnce(Stage) -> Fut,
    Fut: Future<Output = TestResult>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a test can have a runtime");
    let stage = runtime.block_on(Stage::new(kind));
    let witness = stage.witness.clone();
    let limit = Duration::from_secs(TEST_SECONDS_MAX + 3_600 * HOURS_MORE.wanted());
    let outcome = runtime.block_on(async { tokio::time::timeout(limit, test(stage)).await });
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error}\nwhat ran: {:?}", witness.notes()),
        Err(_) => panic!("the test hung; what ran: {:?}", witness.notes()),
    }
}

/// Makes one test of each named `async fn(Stage) -> TestResult` for each store, in a module named after the store.
#[macro_export]
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_undivided_store!($($test),+);
        mod redis_partitioned {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::RedisPartitioned, super::$test); })+
        }
        $crate::on_a_cluster!($($test),+);
    };
}

/// Makes one test of each on a cluster, which all tests of the process share.
#[macro_export]
macro_rules! on_a_cluster {
    ($($test:ident),+ $(,)?) => {
        mod redis_cluster {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::RedisCluster, super::$test); })+
        }
    };
}

/// The same where a store in several partitions promises something else: there is an order within a partition only.
#[macro_export]
macro_rules! on_every_undivided_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite_memory {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::SqliteMemory, super::$test); })+
        }
        mod sqlite_file {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::SqliteFile, super::$test); })+
        }
        mod redis {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::Redis, super::$test); })+
        }
    };
}

/// Makes one test of each for each store that several processes can share.
#[macro_export]
macro_rules! on_every_shared_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::SqliteFile, super::$test); })+
        }
        mod redis {
            $(#[test] fn $test() { $crate::run($crate::StoreKind::Redis, super::$test); })+
        }
    };
}
