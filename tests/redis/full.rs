//! A server whose memory is full, before a worker starts and while it works.

use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;

use super::loops::{Go, errand, helper};
use super::stage::{open, runtime};

/// How often the memory is full.
const TIMES: Amount = Amount::of(3, 100, 500);
/// How many instances are made for each.
const INSTANCES: u64 = 100;

/// All there are, and whether instances are safe from them.
const POLICIES: [(&str, bool); 8] = [
    ("noeviction", true),
    ("allkeys-lru", false),
    ("allkeys-lfu", false),
    ("allkeys-random", false),
    ("volatile-lru", false),
    ("volatile-lfu", false),
    ("volatile-random", false),
    ("volatile-ttl", false),
];

#[test]
fn every_policy_but_one_is_refused_where_there_is_a_limit() {
    let server = RedisServer::start();
    runtime().block_on(async {
        for (policy, good) in POLICIES {
            server.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
            server.command(&["CONFIG", "SET", "maxmemory", "0"]);
            assert!(open(&server.url()).await.is_ok(), "{policy}: without a limit nothing is thrown away");
            server.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
            match open(&server.url()).await {
                Ok(_) => assert!(good, "{policy} was taken"),
                Err(told) => assert!(!good && told.to_string().contains(policy), "{policy}: {told}"),
            }
        }
    });
}

fn used(server: &RedisServer) -> u64 {
    let info: String = redis::from_redis_value(server.command(&["INFO", "memory"])).expect("a text");
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_memory_that_is_full_while_work_goes_on_holds_it_up_and_nothing_else() {
    let server = RedisServer::start();
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().store(server.url()).only::<(errand, helper)>().start().await.expect("it starts");
        for turn in 0..TIMES.wanted() {
            let mut instances = Vec::new();
            for number in 0..INSTANCES {
                let made = errand::create(&engine, number).id(format!("{turn}-{number}")).await.expect("it is made");
                made.send(Go { number: 10 }).await.expect("it is sent");
                instances.push(made);
            }
            let resends = engine.health().store.resends;
            server.command(&["CONFIG", "SET", "maxmemory", &(used(&server) / 2).to_string()]);
            let told = wait::until("it is said", async || {
                let health = engine.health();
                // All may be over already; then there is something to be held up now.
                let more = errand::create(&engine, 0).id(format!("{turn}-more")).attach();
                drop(tokio::time::timeout(Duration::from_millis(50), more).await);
                (health.store.resends > resends && !health.is_good()).then_some(health)
            })
            .await;
            let words = told.store.last_error.unwrap_or_default();
            assert!(words.contains("raise maxmemory"), "{words}");
            server.command(&["CONFIG", "SET", "maxmemory", "0"]);
            for (number, instance) in (0..).zip(&instances) {
                let result = instance.result_within(wait::PATIENCE).await;
                assert!(matches!(result, Ok(sum) if sum == number + 13), "{turn}-{number}: {result:?}");
            }
        }
        wait::until("all is well again", async || engine.health().is_good().then_some(())).await;
        let worker = engine.health().worker.expect("it executes");
        assert_eq!((worker.lost_sessions, worker.data_losses, worker.drive_panics), (0, 0, 0));
    });
    runtime.shutdown_background();
}

#[test]
fn all_that_is_there_can_be_read_while_the_memory_is_full() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let engine = Engine::builder().store(server.url()).only::<(errand, helper)>().start().await.expect("it starts");
        let parent = errand::create(&engine, 1).id("parent").await.expect("it is made");
        wait::until("its child has ended, and it waits for its event", async || {
            let waits = parent.status().await.ok()?.waits;
            waits.iter().any(|wait| matches!(wait.target, WaitTarget::Event { .. })).then_some(())
        })
        .await;
        server.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
        let refused = errand::create(&engine, 1).attach();
        assert!(tokio::time::timeout(Duration::from_millis(200), refused).await.is_err(), "nothing can be written");
        assert_eq!(parent.status().await.expect("a status").state, State::Waiting);
        assert!(!parent.history().await.expect("a history").operations.is_empty());
        assert_eq!(engine.list().state(State::Waiting).await.expect("a page").instances.len(), 1);
        assert_eq!(engine.list().await.expect("a page").instances.len(), 2);
        assert_eq!(engine.overview().await.expect("numbers").asleep, 1);
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        parent.send(Go { number: 10 }).await.expect("it is sent");
        assert_eq!(parent.result_within(wait::PATIENCE).await.expect("it ends"), 14);
    });
}
