//! What befalls a server and the wire to it, under a store that is open: nothing is done twice or by halves, and it comes
//! back by itself.

use std::time::{Duration, Instant};

use support::proxy::Proxy;
use support::redis::RedisServer;
use workflow::journal::command::Command;
use workflow::store::{Store, StoreError};

use super::stage::{create, dump, in_the_end, made, make, once, open, runtime};

#[test]
fn a_server_that_was_restarted_is_found_again() {
    for mut server in [RedisServer::start(), RedisServer::start_on_tcp(&[])] {
        runtime().block_on(async {
            let store = open(&server.url()).await.expect("it opens");
            make(&store, "before").await;
            server.restart();
            // Without an append-only file it has forgotten everything, the scripts too.
            make(&store, "before").await;
            assert_eq!(store.overview().await.expect("it reads").ready, 1);
        });
    }
}

#[test]
fn what_a_server_lost_is_laid_out_as_it_was_before_anyone_writes() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&format!("{}?partitions=3", server.url())).await.expect("it opens");
        server.restart();
        let _overview = in_time(async || store.overview().await).await;
        let newcomer = open(&server.url()).await.expect("it opens");
        assert_eq!(newcomer.partitions(), 3);
    });
}

#[test]
fn a_server_that_others_laid_out_anew_is_not_written_to() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&format!("{}?partitions=3", server.url())).await.expect("it opens");
        server.restart();
        let newcomer = open(&server.url()).await.expect("it opens");
        assert_eq!(newcomer.partitions(), 1);
        let told = in_time(async || match once(&store, Command::Create(create("a"))).await {
            Err(StoreError::Refused { message, .. }) => Ok(message),
            other => Err(other.expect_err("nothing is written")),
        });
        let words = told.await;
        assert!(words.contains("1 partitions") && words.contains("3"), "{words}");
        assert_eq!(newcomer.overview().await.expect("it reads").ready, 0);
    });
}

#[test]
fn a_server_that_would_evict_by_now_is_refused_when_it_is_connected_to_again() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        for (name, value) in [("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")] {
            server.command(&["CONFIG", "SET", name, value]);
        }
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        let told = in_time(async || match once(&store, Command::Create(create("a"))).await {
            Err(StoreError::Refused { message, .. }) => Ok(message),
            other => Err(other.expect_err("nothing is written")),
        });
        assert!(told.await.contains("noeviction"));
        server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        make(&store, "a").await;
    });
}

/// How often a server is started until somebody is told that it loads.
const RESTARTS: u64 = 5;

#[test]
fn a_server_that_loads_its_data_is_waited_for() {
    // It answers between two thousand commands that it loads, in microseconds each.
    let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("key-load-delay", "150")]);
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "before").await;
        let mut filling = redis::pipe();
        for number in 0..20_000 {
            filling.cmd("SET").arg(format!("other-{number}")).arg(1).ignore();
        }
        filling.exec(&mut server.connect().expect("it answers")).expect("it is filled");
        // A machine that does much else may have no time for this process while the server loads.
        for time in 1..=RESTARTS {
            server.restart_at_once();
            let opening = tokio::time::timeout(support::wait::PATIENCE, in_time(async || open(&server.url()).await));
            let writing = async {
                let (mut told, command) = (Vec::new(), Command::Create(create(&format!("after-{time}"))));
                while let Err(error) = once(&store, command.clone()).await {
                    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
                    told.push(error.to_string());
                    tokio::task::yield_now().await;
                }
                told
            };
            let (opened, told) = tokio::join!(opening, writing);
            assert_eq!(opened.expect("it opens in time").overview().await.expect("it reads").ready, 1 + time);
            if told.iter().any(|words| words.contains("loading its data")) {
                return;
            }
            assert!(time < RESTARTS, "it never was: {:?}", told.last());
        }
    });
}

#[test]
fn a_server_that_is_away_is_told_at_once_and_not_waited_for() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        server.kill();
        let began = Instant::now();
        for _ in 0..20 {
            let told = once(&store, Command::Create(create("a"))).await;
            assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
        }
        // Each would wait ten seconds for an answer.
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        server.restart();
        make(&store, "a").await;
    });
}

#[test]
fn a_reply_that_was_lost_leaves_a_command_that_can_be_sent_again() {
    let server = RedisServer::start_on_tcp(&[]);
    let proxy = Proxy::to(server.port());
    runtime().block_on(async {
        let store = open(&format!("redis://127.0.0.1:{}", proxy.port())).await.expect("it opens");
        make(&store, "warm").await;
        let command = Command::Create(create("a"));
        proxy.lose_replies(1, "EVALSHA");
        let lost = once(&store, command.clone()).await;
        assert!(matches!(lost, Err(StoreError::Unavailable { .. })), "{lost:?}");
        let before = dump(&server);
        assert!(before.of("wf:{links:0}:i:a").is_some(), "it was carried out");
        assert_eq!(in_the_end(&store, &command).await, made(), "and is recognised");
        assert_eq!(dump(&server), before);
    });
}

#[test]
fn connections_that_are_cut_come_back() {
    let server = RedisServer::start_on_tcp(&[]);
    let proxy = Proxy::to(server.port());
    runtime().block_on(async {
        let store = open(&format!("redis://127.0.0.1:{}", proxy.port())).await.expect("it opens");
        for number in 0..20 {
            make(&store, &format!("i{number}")).await;
            proxy.cut();
        }
        let overview = in_time(async || store.overview().await).await;
        assert_eq!(overview.ready, 20);
    });
}

/// Asks until there is an answer.
async fn in_time<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    support::wait::until("an answer", async || ask().await.ok()).await
}

#[test]
fn scripts_that_the_server_forgot_are_given_again_in_the_order_of_the_calls() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "first").await;
        server.command(&["SCRIPT", "FLUSH"]);
        // More commands than one call takes: the calls of one pipeline meet a server without the script.
        let batch: Vec<Command> =
            (0..200).map(|number| Command::Create(create(&format!("i{}", number % 100)))).collect();
        let replies = store.execute(0, batch).await.expect("it works");
        assert!(replies[..100].iter().all(|reply| *reply == made()), "the first of each id makes it");
        assert!(replies[100..].iter().all(|reply| *reply != made()), "the second finds it");
    });
}

#[test]
fn a_server_that_runs_something_else_for_long_is_unavailable_and_comes_back() {
    let server = RedisServer::start_with(&[("busy-reply-threshold", "1")]);
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        let mut slow = server.connect().expect("it answers");
        let spin = std::thread::spawn(move || {
            redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut slow).is_err()
        });
        let busy = support::wait::until("BUSY", async || once(&store, Command::Create(create("b"))).await.err()).await;
        assert!(matches!(busy, StoreError::Unavailable { .. }), "{busy:?}");
        server.command(&["SCRIPT", "KILL"]);
        assert!(spin.join().expect("it does not panic"));
        make(&store, "c").await;
    });
}

#[test]
fn a_primary_that_becomes_a_replica_is_left_and_found_again() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        let before = dump(&server);
        server.command(&["REPLICAOF", "127.0.0.1", "1"]);
        let told = once(&store, Command::Create(create("b"))).await;
        assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
        server.command(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(dump(&server), before, "a replica takes nothing");
        make(&store, "b").await;
    });
}

#[test]
fn a_server_without_memory_writes_nothing_by_halves_and_says_what_to_do() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        let before = dump(&server);
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let batch = ["b", "c"].map(|id| Command::Create(create(id))).to_vec();
        match store.execute(0, batch).await {
            Err(StoreError::Refused { message, .. }) => assert!(message.contains("raise maxmemory"), "{message}"),
            other => panic!("{other:?}"),
        }
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(dump(&server), before);
        make(&store, "b").await;
    });
}

#[test]
fn who_was_told_of_a_dead_connection_does_not_meet_it_again() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        server.pause();
        let (first, began) = (once(&store, Command::Create(create("b"))).await, Instant::now());
        assert!(matches!(first, Err(StoreError::Unavailable { .. })), "{first:?}");
        // A connection that was given up is not asked once more: that would take ten seconds. Another one is tried, for
        // five.
        let second = once(&store, Command::Create(create("c"))).await;
        assert!(matches!(second, Err(StoreError::Unavailable { .. })), "{second:?}");
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        server.resume();
        make(&store, "d").await;
    });
}

#[test]
fn a_server_that_cannot_write_its_files_is_left_alone_and_found_again() {
    let server = RedisServer::start_with(&[("save", "3600 1")]);
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        let before = dump(&server);
        // A folder in the place of the file that it saves to.
        let answer: Vec<String> = redis::from_redis_value(server.command(&["CONFIG", "GET", "dir"])).expect("a pair");
        let file = std::path::Path::new(&answer[1]).join("dump.rdb");
        std::fs::create_dir(&file).expect("it can be made");
        server.command(&["BGSAVE"]);
        support::wait::until("the failure to be noticed", async || {
            let info = redis::from_redis_value::<String>(server.command(&["INFO", "persistence"])).expect("a text");
            info.contains("rdb_last_bgsave_status:err").then_some(())
        })
        .await;
        match once(&store, Command::Create(create("b"))).await {
            Err(StoreError::Refused { message, .. }) => assert!(message.contains("make room"), "{message}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(dump(&server), before, "nothing was written");
        std::fs::remove_dir(&file).expect("it is empty");
        server.command(&["BGSAVE"]);
        make(&store, "b").await;
    });
}
