//! What the Redis store leaves behind when everything has ended and was kept long enough: nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use support::prelude::*;
use support::redis::RedisServer;
use workflow::store::Store;
use workflow::store::redis::RedisStore;
use workflow::words::id::Namespace;
use workflow::words::time::{Clock, SystemClock, Timestamp};

mod redis {
    #[test]
    fn no_key_outlives_its_instance_and_none_is_ever_outside_of_the_namespace() {
        support::run(support::StoreKind::Redis, super::leave_nothing);
    }
}

/// What a namespace has for good.
const META: [&str; 2] = ["wf:{kept}:meta", "wf:{kept:0}:calls"];
/// What it has besides while a session lives that has claimed something.
const OF_SESSIONS: [&str; 3] = ["wf:{kept:0}:beats", "wf:{kept:0}:claims", "wf:{kept:0}:sessions"];
/// Instances of each kind.
const OF_EACH: u64 = 4;
/// How long results are kept. Children are kept for ten minutes all the same.
const KEPT: Duration = Duration::from_millis(100);
const LONGER_THAN_CHILDREN_ARE_KEPT: Duration = Duration::from_secs(11 * 60);

/// The machine's clock, which can be set forward.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    clock: SystemClock,
    by_ms: AtomicI64,
}

impl Forward {
    pub(crate) fn set_forward(&self, by: Duration) {
        self.by_ms.fetch_add(i64::try_from(by.as_millis()).expect("minutes"), Ordering::SeqCst);
    }
}

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        self.clock.now().shifted(self.by_ms.load(Ordering::SeqCst))
    }
}

#[workflow]
async fn doubles(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("double", witness.ok("double", number * 2)).await?)
}

#[workflow]
async fn waits() -> workflow::Result<u64> {
    Ok(wait_for::<Go>("never").await.number)
}

/// Something of everything that leaves keys: steps, a sleep, children that end and one that is given up, an event.
#[workflow]
async fn mixed(number: u64, breaks: bool, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let first = step!("first", witness.ok("first", number)).await?;
    sleep(5ms).await;
    let doubled = try_join_all((0..3).map(|number| doubles(number, witness))).await?;
    if breaks {
        step!("break", retries = 0, witness.fails("break")).await?;
    }
    let second = race! {
        child = waits() => child?,
        go = wait_for::<Go>("go") => go.number,
    }
    .await;
    Ok(first + doubled.into_iter().sum::<u64>() + second)
}

async fn leave_nothing(stage: Stage) -> TestResult {
    let server = stage.server.as_ref().expect("it is on Redis");
    // A command that names any other key is refused, from scripts too, and written down.
    let rules = ["~wf:{kept:0}:*", "~wf:{kept}:meta", "&wf:{kept:0}:hints", "+@all"];
    server.command(&[&["ACL", "SETUSER", "kept", "on", ">secret"], &rules[..]].concat());
    let clock = Arc::new(Forward::default());
    let url = format!("{}?user=kept&pass=secret&ids=1", server.url());
    let store = RedisStore::open_with(&url, &Namespace::new("kept")?, Some(clock.clone())).await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let builder = stage.builder().store(store).namespace("kept").retention(KEPT, KEPT);
    let engine = builder.only::<(mixed, doubles, waits)>().start().await?;

    // What is refused is asked for again and again: then nothing comes to an end.
    let ran = tokio::time::timeout(wait::PATIENCE, run_everything(&engine)).await;
    assert_eq!(refused(server), [], "a key outside of the namespace");
    ran??;
    let during = keys(server).len();
    assert!(during > usize::try_from(OF_EACH)? * 16, "nothing is left because nothing was there: {during}");
    clock.set_forward(LONGER_THAN_CHILDREN_ARE_KEPT);
    let while_it_runs: BTreeSet<_> = OF_SESSIONS.into_iter().chain(META).map(str::to_owned).collect();
    only(server, &while_it_runs).await;

    // As before the first engine, but for what says how the namespace is laid out, and how many calls there were.
    stage.stop(engine).await;
    only(server, &META.map(str::to_owned).into()).await;
    assert_eq!(refused(server), [], "a key outside of the namespace");
    Ok(())
}

/// Instances that complete, fail, are terminated, and are begun anew; each is sent more than it reads. And some of a batch
/// that are paused, resumed, not begun, and deleted before their time.
async fn run_everything(engine: &Engine) -> TestResult {
    for number in 0..OF_EACH {
        let [completes, fails, terminated, restarted] = [
            mixed::create(engine, number, false).await?,
            mixed::create(engine, number, true).await?,
            mixed::create(engine, number, false).await?,
            mixed::create(engine, number, false).await?,
        ];
        assert!(fails.result().await.is_err());
        for instance in [&completes, &terminated, &restarted] {
            wait::state(instance, State::Waiting).await;
        }
        terminated.terminate("not wanted").await?;
        restarted.restart().await?;
        for instance in [&completes, &restarted] {
            instance.send(Go { number: 1 }).await?;
            match instance.send(Go { number: 2 }).await {
                // The first has ended it.
                Err(EngineError::Finished { .. }) => {}
                sent => drop(sent?),
            }
            assert_eq!(instance.result().await?, number + 6 + 1);
        }
    }
    run_a_batch(engine).await?;
    // Children that were given up end a little later than their parents, and are kept from then on.
    let ended = async || {
        let all = engine.list().limit(500).await.expect("the store of a test answers");
        all.instances.iter().all(|instance| instance.state.is_final()).then_some(())
    };
    wait::until("every child has ended", ended).await;
    Ok(())
}

async fn run_a_batch(engine: &Engine) -> TestResult {
    let later = SystemTime::now() + Duration::from_secs(3_600);
    let items = (0..OF_EACH).map(|number| doubles::new(number).id(format!("batch-{number}")).start_at(later));
    for made in doubles::create_batch(engine, items).await? {
        made?.pause().await?;
    }
    let deleted = doubles::create(engine, 1).retention(10 * LONGER_THAN_CHILDREN_ARE_KEPT, KEPT).await?;
    deleted.result().await?;
    deleted.delete().await?;
    let listed = engine.list().id_prefix("batch-").state(State::Paused).await?;
    assert_eq!(listed.instances.len(), usize::try_from(OF_EACH)?);
    for instance in listed.instances {
        let instance = engine.instance(instance.id).await?;
        assert_eq!(instance.resume().await?, State::Queued);
        instance.terminate("not begun").await?;
    }
    Ok(())
}

/// Waits until these are all the keys of the server.
async fn only(server: &RedisServer, expected: &BTreeSet<String>) {
    let give_up = Instant::now() + wait::PATIENCE;
    let alone = async || {
        let left = keys(server);
        assert!(Instant::now() < give_up || left == *expected, "left: {left:#?}");
        (left == *expected).then_some(())
    };
    wait::until("only those keys are left", alone).await;
}

pub(crate) fn keys(server: &RedisServer) -> BTreeSet<String> {
    ::redis::from_redis_value(server.command(&["KEYS", "*"])).expect("keys are text here")
}

/// What the server refused its user.
fn refused(server: &RedisServer) -> Vec<::redis::Value> {
    ::redis::from_redis_value(server.command(&["ACL", "LOG"])).expect("a log is a list")
}
