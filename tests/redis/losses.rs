//! A server that has lost what it had acknowledged: it is found out, said once, and what it still has goes on to its
//! end.

use std::sync::Arc;
use std::time::Duration;

use support::prelude::*;
use support::redis::RedisServer;
use support::redis::sentinels::Sentinels;
use workflow::journal::command::{Command, Create, InstanceSpec};
use workflow::store::{Beat, Store};
use workflow::words::id::InstanceId;
use workflow::words::payload::Payload;

use super::stage::{LEASE, SESSION, create, in_the_end, made, make, once, open, runtime, start};

/// How often a loss was noticed, and how many calls were lost at least.
fn lost(store: &dyn Store) -> (u64, u64) {
    let lost = store.lost_writes().borrow().clone();
    (lost.times, lost.calls)
}

#[test]
fn the_next_call_finds_out_and_says_it_once() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let other = open(&server.url()).await.expect("it opens");
        for id in ["a", "b", "c"] {
            make(&store, id).await;
        }
        make(&other, "d").await;
        assert_eq!((lost(&store), lost(&other)), ((0, 0), (0, 0)));
        server.command(&["FLUSHALL"]);
        make(&store, "a").await;
        assert_eq!(lost(&store), (1, 3), "of the four calls it has heard of three");
        make(&store, "b").await;
        make(&store, "c").await;
        assert_eq!(lost(&store), (1, 3));
        make(&other, "e").await;
        assert_eq!(lost(&other), (1, 1), "it had heard of the fourth, and is the fourth again");
        server.command(&["FLUSHALL"]);
        make(&store, "a").await;
        assert_eq!(lost(&store), (2, 6));
    });
}

#[test]
fn a_heart_finds_out_without_a_call() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        start(&store, "a").await;
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, LEASE).expect("it is answered"), Beat::Alive);
        assert_eq!(lost(&store), (0, 0));
        server.command(&["FLUSHALL"]);
        assert_eq!(heart.beat(SESSION, LEASE).expect("it is answered"), Beat::Fenced);
        assert_eq!(lost(&store), (1, 2), "a session and an instance");
    });
}

#[test]
fn a_new_connection_finds_out_though_nothing_is_called_on_it() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        // It writes nothing to disk.
        server.restart();
        wait::until("an answer", async || store.overview().await.ok()).await;
        assert_eq!(lost(&store), (1, 1));
    });
}

/// A replica that is behind when it becomes the primary: what the one before acknowledged is gone with it.
#[test]
fn a_failover_behind_sentinels_to_a_replica_that_is_behind_is_noticed() {
    /// Together more than what lies between two servers holds by itself, and would still arrive.
    const LARGE: usize = 512 * 1024;
    const MANY: usize = 48;
    let mut all = Sentinels::start(1, &[]);
    let url = all.url();
    runtime().block_on(async {
        let store = open(&url).await.expect("it opens");
        make(&store, "kept").await;
        let primary = all.primary();
        all.node(primary).wait_until_replicas_have_all();
        all.pause(1 - primary);
        for number in 0..MANY {
            let create = create(&format!("lost-{number}"));
            let spec = InstanceSpec { input: Payload::from_bytes(vec![b'1'; LARGE]), ..(*create.spec).clone() };
            let made_here = once(&store, Command::Create(Create { spec: Arc::new(spec), ..create })).await;
            assert_eq!(made_here.expect("it is acknowledged"), made());
        }
        assert_eq!(lost(&store), (0, 0));
        all.kill(primary);
        all.resume(1 - primary);
        assert_eq!(all.primary(), 1 - primary, "there is no other");
        make(&store, "after").await;
        let (times, calls) = lost(&store);
        assert!(times == 1 && calls > 0, "{times} times, {calls} calls");
        let is_there = async |id: &str| {
            let id = InstanceId::new(id).expect("valid");
            store.inspect(id).await.expect("it is answered").is_some()
        };
        assert!(is_there("kept").await && is_there("after").await);
        assert!(!is_there(&format!("lost-{}", MANY - 1)).await, "it was acknowledged, and is lost");
    });
}

#[test]
fn a_server_that_kept_everything_is_not_suspected() {
    let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let mut heart = store.heart().expect("a heart");
        for round in 0..3 {
            make(&store, &format!("a{round}")).await;
            in_the_end(&store, &Command::OpenSession { session: SESSION, lease: LEASE }).await;
            server.restart();
            server.command(&["SCRIPT", "FLUSH"]);
            wait::until("a beat", || std::future::ready(heart.beat(SESSION, LEASE).ok())).await;
            wait::until("an answer", async || store.overview().await.ok()).await;
        }
        once(&store, Command::Create(create("last"))).await.expect("it works");
        assert_eq!(lost(&store), (0, 0));
    });
}

#[workflow]
async fn two_steps(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("one", witness.ok("one", 1)).await?;
    let go = wait_for::<Go>("go").await;
    step!("two", witness.ok("two", 2)).await?;
    Ok(go.number)
}

#[workflow]
async fn long_body(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("long", witness.held("long", 7)).await?)
}

async fn engine(url: &str, witness: &Witness) -> Engine {
    let builder = Engine::builder().store(url).namespace("links").lease(Duration::from_secs(60));
    let builder = builder.resource(witness.clone()).only::<(two_steps, long_body)>();
    builder.start().await.expect("it starts")
}

async fn notices(engine: &Engine) {
    let noticed = async || (engine.health().store.losses > 0).then_some(());
    wait::until("the loss is noticed", noticed).await;
}

/// A backup is put back under a worker that has gone on since: one run suspended in its memory, one that it held when
/// the backup was made and has ended, and one that the backup never had.
#[test]
fn what_a_backup_still_has_goes_on_under_a_worker_that_lives() {
    let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
    runtime().block_on(async {
        let witness = Witness::default();
        let url = server.url();
        let worker = engine(&url, &witness).await;
        let waiting = two_steps::create(&worker).id("waiting").await.expect("it is made");
        let held = long_body::create(&worker).id("held").await.expect("it is made");
        wait::state(&waiting, State::Waiting).await;
        witness.ran("long", 1).await;
        let backup = server.copy_data();
        // What is lost: both end, and another is made.
        waiting.send(Go { number: 1 }).await.expect("it is sent");
        assert_eq!(waiting.result().await.expect("it ends"), 1);
        witness.open("long");
        assert_eq!(held.result().await.expect("it ends"), 7);
        let newer = two_steps::create(&worker).id("newer").await.expect("it is made");
        wait::state(&newer, State::Waiting).await;
        assert_eq!(worker.health().store.losses, 0);
        server.put_back(&backup);
        notices(&worker).await;
        // It says that it is over, where it is again held by a worker that has forgotten it.
        wait::state(&held, State::Complete).await;
        assert_eq!(held.result().await.expect("it ends"), 7);
        assert_eq!(witness.count("long"), 2, "its body ran again, for its result was lost");
        waiting.send(Go { number: 2 }).await.expect("it is sent");
        assert_eq!(waiting.result().await.expect("it ends"), 2, "by the event that the server knows");
        assert!(two_steps::get(&worker, "newer").await.is_err(), "it was made after the backup");
        let health = worker.health();
        assert_eq!(health.store.losses, 1, "{health}");
        assert!(health.store.lost_calls > 0 && health.store.lost_at.is_some(), "{health}");
        assert!(health.to_string().contains("lost what it had acknowledged 1 times"), "{health}");
        assert!(health.is_good(), "{health}");
        let report = worker.fsck().await.expect("it can be read");
        assert_eq!(report.findings, [], "{report}");
        worker.shutdown(wait::PATIENCE).await;
    });
}

/// Nothing is driven, and nothing asked: the worker finds out all the same, and takes work again.
#[test]
fn an_idle_worker_notices_and_goes_on_with_an_empty_server() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let witness = Witness::default();
        let worker = engine(&server.url(), &witness).await;
        let waiting = two_steps::create(&worker).id("waiting").await.expect("it is made");
        wait::state(&waiting, State::Waiting).await;
        server.restart();
        notices(&worker).await;
        let again = async || two_steps::create(&worker).id("waiting").await.ok();
        let again = wait::until("it can be made again", again).await;
        wait::state(&again, State::Waiting).await;
        again.send(Go { number: 5 }).await.expect("it is sent");
        assert_eq!(again.result().await.expect("it ends"), 5);
        assert_eq!(witness.count("one"), 2, "nothing of the first one is left in memory");
        assert_eq!(worker.health().store.losses, 1);
        worker.shutdown(wait::PATIENCE).await;
    });
}
