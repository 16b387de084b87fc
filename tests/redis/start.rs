//! What a store looks at before it uses a server.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use support::redis::RedisServer;
use workflow::prelude::*;
use workflow::store::StoreError;

use super::stage::{make, open, runtime};

/// Opens a store that must be refused, and gives the words.
fn refused(url: &str) -> String {
    match runtime().block_on(open(url)) {
        Err(StoreError::Refused { message, .. }) => message,
        other => panic!("{url} was not refused: {other:?}"),
    }
}

#[test]
fn a_server_that_would_evict_instances_is_refused() {
    let server = RedisServer::start_with(&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]);
    assert!(refused(&server.url()).contains("set maxmemory-policy noeviction"));
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    runtime().block_on(async { make(&open(&server.url()).await.expect("it opens"), "a").await });
}

/// What is written to the log while `work` runs on this thread.
pub(super) fn logged(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics with the lock").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = support::logs::heard_by(subscriber);
    work();
    drop(guard);
    let written = lines.0.lock().expect("nobody panics with the lock");
    String::from_utf8_lossy(&written).into_owned()
}

#[test]
fn one_line_says_what_has_started_and_what_it_survives() {
    let kept = [
        (&[("appendonly", "yes"), ("appendfsync", "always")][..], "survives a power cut", "INFO"),
        (&[("appendonly", "yes"), ("appendfsync", "everysec")], "may lose the last seconds", "INFO"),
        (&[], "set appendonly yes", "WARN"),
    ];
    for (settings, words, level) in kept {
        let settings: Vec<_> = settings.iter().copied().chain([("requirepass", "s3cret")]).collect();
        let server = RedisServer::start_with(&settings);
        let mut described = None;
        let text = logged(|| {
            runtime().block_on(async {
                let builder = Engine::builder().store(server.url()).namespace("shop").mode(Mode::Worker).concurrency(3);
                let engine = builder.queues(["b", "a"]).only::<looks>().start().await.expect("it starts");
                described = Some(engine.describe());
            });
        });
        let line: Vec<&str> = text.lines().filter(|line| line.contains("the engine has started")).collect();
        assert_eq!(line.len(), 1, "{text}");
        let facts = described.expect("it has started");
        assert!(facts.server.starts_with("Redis 7.") || facts.server.starts_with("Redis 6."), "{facts:?}");
        for part in [
            words,
            level,
            "store=unix:",
            &facts.server,
            &facts.durability,
            "namespace=shop",
            "mode=Worker",
            "concurrency=3",
            "queues=a,b",
            "workflows=1: looks",
        ] {
            assert!(line[0].contains(part), "{part}: {text}");
        }
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!text.contains("connected to Redis"), "one line is enough: {text}");
    }
}

#[workflow]
async fn looks() {}

#[test]
fn a_replica_is_refused() {
    let server = RedisServer::start();
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let words = refused(&server.url());
    assert!(words.contains("replica"), "{words}");
}

#[test]
fn a_password_that_is_missing_or_wrong_is_asked_for() {
    let server = RedisServer::start_with(&[("requirepass", "secret")]);
    let with = server.url();
    assert!(refused(&with.replace("?pass=secret", "")).contains("password"));
    let wrong = refused(&with.replace("=secret", "=guess"));
    assert!(wrong.contains("password") && !wrong.contains("guess"), "{wrong}");
    runtime().block_on(async { make(&open(&with).await.expect("it opens"), "a").await });
}

#[test]
fn a_user_who_may_not_run_scripts_is_told_so() {
    let server = RedisServer::start_on_tcp(&[]);
    server.command(&["ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@all", "-evalsha", "-eval"]);
    let url = server.url().replace("redis://", "redis://weak:pw@");
    let outcome = runtime().block_on(async {
        let store = open(&url).await?;
        super::stage::once(&store, workflow::journal::command::Command::Create(super::stage::create("a"))).await
    });
    match outcome {
        Err(StoreError::Refused { message, .. }) => assert!(message.contains("grant"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_number_of_partitions_is_fixed_by_who_comes_first() {
    let server = RedisServer::start();
    let runtime = runtime();
    let with = |number: usize| format!("{}?partitions={number}", server.url());
    let store = runtime.block_on(open(&with(3))).expect("it opens");
    assert_eq!(workflow::store::Store::partitions(&store), 3);
    assert!(refused(&with(2)).contains("has 3 partitions"));
    let found = runtime.block_on(open(&server.url())).expect("it opens");
    assert_eq!(workflow::store::Store::partitions(&found), 3);
}

#[test]
fn what_another_version_wrote_is_refused() {
    let server = RedisServer::start();
    server.command(&["HSET", "wf:{links}:meta", "schema", "999"]);
    let words = refused(&server.url());
    assert!(words.contains("another version") && words.contains("999"), "{words}");
}

#[test]
fn what_takes_connections_and_says_nothing_is_unavailable_and_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().expect("bound").port());
    match runtime().block_on(open(&url)) {
        Err(StoreError::Unavailable { store, message }) => {
            assert!(store.starts_with(&url) && message.contains("no connection within"), "{store}: {message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_takes_no_more_clients_is_unavailable_and_says_what_to_raise() {
    let server = RedisServer::start_with(&[("maxclients", "5")]);
    let mut clients: Vec<_> = (0..5).map_while(|_| server.connect().ok()).collect();
    match runtime().block_on(open(&server.url())) {
        Err(StoreError::Unavailable { message, .. }) => assert!(message.contains("raise maxclients"), "{message}"),
        other => panic!("{other:?}"),
    }
    // As it says. (A client that goes away is counted until the server looks at it.)
    let raised = redis::cmd("CONFIG").arg(&["SET", "maxclients", "100"]).query::<()>(&mut clients[0]);
    raised.expect("a client that is connected may speak");
    runtime().block_on(async { make(&open(&server.url()).await.expect("it opens"), "a").await });
}
