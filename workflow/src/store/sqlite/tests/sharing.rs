//! Several stores on one file, as several processes have them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::support::{
    LEASE, accepted, claim, clock, create, finish, folder, given, id, one, open, open_session, own, send, sound, write,
};
use crate::journal::command::{OwnReply, Reply, Then};
use crate::store::sqlite::SqliteStore;
use crate::store::{Beat, Hint, Hinted, Store, StoreError};
use crate::words::id::{Namespace, SessionId};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_one_writes_the_other_sees_at_its_next_command() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let (here, there) = (open(&folder, &clock).await, open(&folder, &clock).await);
    one(&here, open_session(session)).await;
    one(&here, create("x", None)).await;
    // Each step is written by the other store, so each cache is behind at each step.
    let claimed = given(&there, claim(session, 1)).await;
    let v = accepted(&here, own("x", session, 1, claimed[0].v, write(&["a"], Then::Hold))).await;
    one(&there, send("x", "e")).await;
    let v = match one(&here, own("x", session, 1, v, write(&["b"], Then::Hold))).await {
        Reply::Own(OwnReply::Ok(granted)) => {
            assert_eq!(granted.messages.len(), 1, "the other's message came with the answer");
            granted.v
        }
        other => panic!("{other:?}"),
    };
    accepted(&there, own("x", session, 1, v, write(&["c"], finish()))).await;
    assert_eq!(one(&here, own("x", session, 1, v, write(&[], Then::Hold))).await, Reply::Own(OwnReply::Stale));
    assert_eq!(here.journal(id("x"), 1, 0).await.expect("read").map(|records| records.len()), Some(3));
    sound(&here).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_share_all_work_and_give_nothing_twice() {
    const INSTANCES: usize = 400;
    let (folder, clock) = (folder(), clock());
    let stores = [Arc::new(open(&folder, &clock).await), Arc::new(open(&folder, &clock).await)];
    for number in 0..INSTANCES {
        one(&stores[number % 2], create(&format!("i{number}"), None)).await;
    }
    let mut workers = JoinSet::new();
    for number in 0..4_usize {
        let (store, session) = (stores[number % 2].clone(), SessionId(number as u128 + 1));
        workers.spawn(async move { work(&store, session).await });
    }
    let finished = workers.join_all().await.concat();
    assert_eq!(finished.len(), INSTANCES);
    assert_eq!(finished.iter().collect::<BTreeSet<_>>().len(), INSTANCES, "none was given twice");
    sound(&stores[0]).await;
}

/// Claims and finishes until there is nothing left.
async fn work(store: &SqliteStore, session: SessionId) -> Vec<crate::words::id::InstanceId> {
    one(store, open_session(session)).await;
    let mut finished = Vec::new();
    loop {
        let claimed = given(store, claim(session, 7)).await;
        if claimed.is_empty() {
            return finished;
        }
        for claimed in claimed {
            let name = claimed.id.as_str();
            let v = accepted(store, own(name, session, 1, claimed.v, write(&["a"], Then::Hold))).await;
            accepted(store, own(name, session, 1, v, write(&["b"], finish()))).await;
            finished.push(claimed.id);
        }
    }
}

#[tokio::test]
async fn a_lock_held_by_another_process_delays_and_never_fails() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    let other = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let mut writing = store.execute(0, vec![create("x", None)]);
    let waiting = tokio::time::timeout(Duration::from_millis(200), &mut writing).await;
    assert!(waiting.is_err(), "it waits for the lock");
    // Reading needs no lock.
    assert!(store.inspect(id("x")).await.expect("read").is_none());
    other.execute_batch("COMMIT").expect("unlocked");
    tokio::time::timeout(PATIENCE, writing).await.expect("in time").expect("carried out");
    assert!(store.inspect(id("x")).await.expect("read").is_some());
}

#[tokio::test]
async fn a_caller_that_has_gone_is_not_waited_for_with_a_locked_file() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    let other = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let gone = tokio::time::timeout(Duration::from_millis(50), store.execute(0, vec![create("x", None)])).await;
    assert!(gone.is_err(), "it waits for the lock");
    // Closing the store while the file is locked ends, too.
    let closing = tokio::task::spawn_blocking(move || drop(store));
    tokio::time::timeout(PATIENCE, closing).await.expect("in time").expect("no panic");
    other.execute_batch("COMMIT").expect("unlocked");
}

#[tokio::test]
async fn commits_of_another_process_are_noticed() {
    let (folder, clock) = (folder(), clock());
    let (here, there) = (open(&folder, &clock).await, open(&folder, &clock).await);
    let mut hints = here.hints();
    one(&there, create("x", None)).await;
    let told = tokio::time::timeout(PATIENCE, hints.recv()).await.expect("in time").expect("a hint");
    assert_eq!(told, Hinted::ANYTHING);
}

#[tokio::test]
async fn own_commits_are_told_by_name_and_hearts_are_no_news() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let store = open(&folder, &clock).await;
    one(&store, open_session(session)).await;
    let mut hints = store.hints();
    let mut heart = store.heart().expect("a heart");
    for name in ["x", "y", "z"] {
        assert_eq!(heart.beat(session, LEASE).expect("it beats"), Beat::Alive);
        one(&store, create(name, None)).await;
        let told = tokio::time::timeout(PATIENCE, hints.recv()).await.expect("in time").expect("a hint");
        assert_eq!(told, Hinted::of(0, Hint::Ready(super::support::queue("default"))), "at {name}");
    }
}

#[tokio::test]
async fn a_heart_keeps_its_session_and_stops_when_it_is_fenced() {
    let folder = folder();
    for memory in [false, true] {
        let (clock, session) = (clock(), SessionId(1));
        let store = if memory {
            SqliteStore::open("sqlite::memory:", &super::support::namespace("default"), clock.clone()).await
        } else {
            Ok(open(&folder, &clock).await)
        };
        let store = store.expect("it opens");
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(session, LEASE).expect("answered"), Beat::Fenced, "it was never opened");
        one(&store, open_session(session)).await;
        one(&store, create("x", Some(session))).await;
        clock.advance(LEASE * 2);
        assert_eq!(heart.beat(session, LEASE).expect("it beats"), Beat::Alive);
        let fence = |beats| crate::journal::command::Command::Fence { session, beats };
        assert_eq!(one(&store, fence(1)).await, Reply::Fence(false), "it beat in time");
        clock.advance(LEASE * 2);
        assert_eq!(one(&store, fence(0)).await, Reply::Fence(false), "the counter moved since");
        assert_eq!(one(&store, fence(1)).await, Reply::Fence(true));
        assert_eq!(heart.beat(session, LEASE).expect("answered"), Beat::Fenced);
        let v = store.inspect(id("x")).await.expect("read").expect("it exists").head.v;
        let late = own("x", session, 1, v, write(&["a"], Then::Hold));
        assert_eq!(one(&store, late).await, Reply::Own(OwnReply::Fenced));
        sound(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heart_beats_while_the_writer_is_busy() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let store = Arc::new(open(&folder, &clock).await);
    one(&store, open_session(session)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (store, stop) = (store.clone(), stop.clone());
        writers.spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Acquire) {
                one(&store, create(&format!("w{writer}-{number}"), None)).await;
                number += 1;
            }
        });
    }
    let mut heart = store.heart().expect("a heart");
    let beating = tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            assert_eq!(heart.beat(session, LEASE).expect("it beats"), Beat::Alive);
        }
    });
    tokio::time::timeout(PATIENCE, beating).await.expect("in time").expect("no panic");
    stop.store(true, Ordering::Release);
    writers.join_all().await;
    assert_eq!(store.sessions().await.expect("read")[0].beats, 20);
}

#[tokio::test]
async fn a_reader_sees_what_is_written_hears_of_it_and_writes_nothing() {
    let (folder, clock) = (folder(), clock());
    let file = folder.path().join("store.db");
    let namespace = Namespace::new("shop").expect("valid");
    let url = format!("sqlite:{}?mode=ro", file.display());
    let read = async |namespace: &Namespace| SqliteStore::open(&url, namespace, clock.clone()).await;
    let missing = read(&namespace).await.expect_err("there is no file");
    assert!(missing.to_string().contains("makes none"), "{missing}");
    assert!(!file.exists());
    let writing =
        SqliteStore::open(&format!("sqlite:{}", file.display()), &namespace, clock.clone()).await.expect("it is made");
    let other = read(&Namespace::new("other").expect("valid")).await.expect_err("nobody made it");
    assert!(other.to_string().contains("no namespace other"), "{other}");
    let reading = read(&namespace).await.expect("it is there");
    assert!(writing.writable() && !reading.writable());
    let mut hints = reading.hints();
    one(&writing, create("x", None)).await;
    assert!(reading.inspect(id("x")).await.expect("read").is_some());
    let heard = tokio::time::timeout(PATIENCE, hints.recv()).await.expect("it hears of it");
    assert_eq!(heard.expect("the store lives"), Hinted::ANYTHING);
    for command in [create("y", None), open_session(SessionId(1))] {
        let refused = reading.execute(0, vec![command]).await.expect_err("it only reads");
        assert!(matches!(&refused, StoreError::Refused { message, .. } if message.contains("mode=ro")), "{refused}");
    }
    assert!(reading.heart().is_err());
    drop(reading);
    assert!(writing.inspect(id("y")).await.expect("read").is_none());
    sound(&writing).await;
}
