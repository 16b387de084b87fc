//! Hearts: on connections of their own, bounded, and told when their session is gone.

use std::time::{Duration, Instant};

use support::redis::RedisServer;
use workflow::journal::command::{Command, Reply};
use workflow::store::redis::RedisStore;
use workflow::store::{Beat, Store, StoreError};

use super::stage::{LEASE, SESSION, once, open, runtime};

async fn open_session(store: &RedisStore, lease: Duration) {
    once(store, Command::OpenSession { session: SESSION, lease }).await.expect("it opens");
}

#[test]
fn a_heart_finds_a_server_again_and_does_not_revive_what_the_server_forgot() {
    let mut server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        open_session(&store, LEASE).await;
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, LEASE).expect("it beats"), Beat::Alive);
        server.restart();
        let beat = support::wait::until("a beat", || std::future::ready(heart.beat(SESSION, LEASE).ok())).await;
        assert_eq!(beat, Beat::Fenced);
    });
}

#[test]
fn a_revoked_session_is_told_by_its_heart() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        open_session(&store, Duration::from_millis(1)).await;
        let fence = Command::Fence { session: SESSION, beats: 0 };
        support::wait::until("the lease to be over", async || {
            (once(&store, fence.clone()).await.ok()? == Reply::Fence(true)).then_some(())
        })
        .await;
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, LEASE).expect("it is answered"), Beat::Fenced);
        assert!(store.sessions().await.expect("they are read").iter().all(|view| view.revoked));
    });
}

#[test]
fn a_heart_beats_on_while_the_server_has_no_memory() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        open_session(&store, LEASE).await;
        let before = store.sessions().await.expect("they are read").remove(0);
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, LEASE * 2).expect("it beats"), Beat::Alive);
        let after = store.sessions().await.expect("they are read").remove(0);
        assert_eq!(after.beats, before.beats + 1);
        assert!(after.expires_at > before.expires_at);
    });
}

#[test]
fn a_beat_at_a_server_that_says_nothing_ends_within_its_lease() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let lease = Duration::from_secs(3);
        open_session(&store, lease).await;
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, lease).expect("it beats"), Beat::Alive);
        server.pause();
        let began = Instant::now();
        let told = heart.beat(SESSION, lease);
        assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "a third of a lease was to be waited: {:?}",
            began.elapsed()
        );
        server.resume();
        let beat = support::wait::until("a beat", || std::future::ready(heart.beat(SESSION, lease).ok())).await;
        assert_eq!(beat, Beat::Alive);
    });
}
