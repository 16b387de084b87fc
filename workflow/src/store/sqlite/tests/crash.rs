//! What is there after a crash, and after an error in the middle of a group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::support::{
    accepted, bytes, claim, clock, create, finish, folder, given, id, namespace, one, open, open_session, own, sound,
    url, write,
};
use crate::journal::command::{Command, Reply, SendReply, Then};
use crate::journal::head::State;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::writer::Job;
use crate::store::{ListQuery, Store, StoreError};
use crate::words::id::SessionId;

/// The files as a crash of the machine leaves them: copied while the store that writes them is open and has not copied
/// its log into the file.
fn as_after_a_crash(folder: &tempfile::TempDir) -> tempfile::TempDir {
    let copy = super::support::folder();
    for name in ["w.db", "w.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).expect("copied");
    }
    copy
}

#[tokio::test]
async fn every_acknowledged_write_is_there_after_a_crash() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let store = open(&folder, &clock).await;
    one(&store, open_session(session)).await;
    for number in 0..50 {
        one(&store, create(&format!("i{number}"), None)).await;
    }
    let claimed = given(&store, claim(session, 10)).await;
    for claimed in &claimed {
        let committed = own(claimed.id.as_str(), session, 1, claimed.v, write(&["a", "b"], Then::Hold));
        accepted(&store, committed).await;
    }

    let crashed = as_after_a_crash(&folder);
    let after = open(&crashed, &clock).await;
    sound(&after).await;
    let overview = after.overview().await.expect("read");
    assert_eq!((overview.ready, overview.held), (40, 10));
    for claimed in &claimed {
        let journal = after.journal(claimed.id.clone(), 1, 0).await.expect("read");
        assert_eq!(journal, Some(vec![bytes("a"), bytes("b")]));
    }
    // The owner goes on where it was.
    let first = &claimed[0];
    accepted(&after, own(first.id.as_str(), session, 1, first.v + 1, write(&["c"], finish()))).await;
    let snapshot = after.inspect(first.id.clone()).await.expect("read").expect("it exists");
    assert_eq!((snapshot.head.state(), snapshot.head.records), (State::Complete, 3));
    sound(&after).await;
}

#[tokio::test]
async fn a_log_cut_anywhere_is_some_earlier_state_and_never_half_of_a_write() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    for number in 0..8 {
        one(&store, create(&format!("i{number}"), None)).await;
        one(&store, super::support::send(&format!("i{number}"), "e")).await;
    }
    let whole = as_after_a_crash(&folder);
    let log = std::fs::read(whole.path().join("w.db-wal")).expect("read");
    let mut seen = Vec::new();
    for part in 1..=16 {
        let cut = super::support::folder();
        std::fs::copy(whole.path().join("w.db"), cut.path().join("w.db")).expect("copied");
        std::fs::write(cut.path().join("w.db-wal"), &log[..log.len() * part / 16]).expect("written");
        let after = open(&cut, &clock).await;
        sound(&after).await;
        seen.push(after.overview().await.expect("read").ready);
    }
    assert_eq!(seen.last(), Some(&8));
    assert!(seen.is_sorted() && seen[0] < 8, "{seen:?}");
}

#[tokio::test]
async fn a_command_that_fails_harms_no_other_of_its_group() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    one(&store, create("damaged", None)).await;
    one(&store, create("whole", None)).await;
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    file.execute("UPDATE n1_instances SET head = x'ff' WHERE id = 'damaged'", []).expect("written");

    // All are queued while the lock is taken, so they are one group when it is free.
    file.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let (store, queued) = (Arc::new(store), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let (store, queued) = (store.clone(), queued.clone());
        let name = if number % 5 == 4 { "damaged" } else { "whole" };
        tasks.spawn(async move {
            queued.fetch_add(1, Ordering::AcqRel);
            let sent = super::support::send(name, &format!("e{number}"));
            (name, store.execute(0, vec![sent]).await)
        });
    }
    while queued.load(Ordering::Acquire) < 20 {
        tokio::task::yield_now().await;
    }
    file.execute_batch("COMMIT").expect("unlocked");
    for outcome in tasks.join_all().await {
        match outcome {
            ("whole", replies) => assert_eq!(replies.expect("carried out"), [Reply::Send(SendReply::Accepted)]),
            (_, replies) => {
                let error = replies.expect_err("its head cannot be read");
                let named = matches!(&error, StoreError::Damaged { message, .. } if message.contains("damaged"));
                assert!(named, "{error}");
            }
        }
    }
    let snapshot = store.inspect(id("whole")).await.expect("read").expect("it exists");
    assert_eq!(snapshot.head.arrivals, 16, "nothing is left of the group that failed");
}

#[tokio::test]
async fn an_instance_that_cannot_be_read_stops_no_queue_and_comes_back_when_it_can() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let store = open(&folder, &clock).await;
    one(&store, open_session(session)).await;
    one(&store, create("a-damaged", None)).await;
    one(&store, create("b-whole", None)).await;
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    let head: Vec<u8> =
        file.query_row("SELECT head FROM n1_instances WHERE id = 'a-damaged'", [], |row| row.get(0)).expect("read");
    let write = |head: &[u8]| {
        file.execute("UPDATE n1_instances SET head = ?1 WHERE id = 'a-damaged'", [head]).expect("written");
    };
    write(&[9, 9]);
    let names: Vec<_> = given(&store, claim(session, 10)).await.into_iter().map(|claimed| claimed.id).collect();
    assert_eq!(names, [id("b-whole")]);
    assert!(!store.fsck().await.expect("read").is_sound(), "it is complained about");
    let by_id = ListQuery { id_prefix: Some(id("a")), ..ListQuery::newest(10) };
    for (query, whole) in [(ListQuery::newest(10), 1), (by_id, 0)] {
        let page = store.list(query).await.expect("a damaged instance fails no page");
        assert_eq!((page.rows.len(), page.damaged.len()), (whole, 1));
        assert_eq!(page.damaged[0].id, id("a-damaged"));
    }

    // A version of the program that can read it opens the file.
    write(&head);
    drop(store);
    let store = open(&folder, &clock).await;
    sound(&store).await;
    let names: Vec<_> = given(&store, claim(session, 10)).await.into_iter().map(|claimed| claimed.id).collect();
    assert_eq!(names, [id("a-damaged")]);
}

#[tokio::test]
async fn a_file_that_goes_wrong_is_an_error_and_is_used_again_when_it_is_right() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    one(&store, create("before", None)).await;
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    file.execute_batch("ALTER TABLE n1_records RENAME TO gone; ALTER TABLE n1_specs RENAME TO gone_too")
        .expect("broken");
    let error = store.execute(0, vec![create("during", None)]).await.expect_err("there is no such table");
    assert!(error.to_string().contains(&url(&folder)), "{error}");
    file.execute_batch("ALTER TABLE gone RENAME TO n1_records; ALTER TABLE gone_too RENAME TO n1_specs")
        .expect("mended");
    one(&store, create("after", None)).await;
    assert!(store.inspect(id("during")).await.expect("read").is_none(), "nothing is left of what failed");
    sound(&store).await;
}

#[tokio::test]
async fn a_full_disk_is_said_and_writing_goes_on_when_there_is_room() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    one(&store, create("before", None)).await;
    // The writer's connection may not let the file grow: SQLite says of that what it says of a full disk.
    let (done, limited) = tokio::sync::oneshot::channel();
    let visit = Job::Visit(Box::new(move |tables| {
        let limit = tables.connection().query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, i64>(0));
        done.send(limit).expect("the test waits");
    }));
    assert!(store.jobs.send(visit).is_ok());
    limited.await.expect("it is done").expect("it is limited");
    let many = (0..500).map(|number| create(&format!("i{number}"), None)).collect();
    let error = store.execute(0, many).await.expect_err("there is no room");
    assert!(matches!(&error, StoreError::Refused { message, .. } if message.contains("full")), "{error}");
    // The next try has a new connection, and the disk has room.
    one(&store, create("after", None)).await;
    assert_eq!(store.overview().await.expect("read").ready, 2);
    sound(&store).await;
}

#[derive(Debug)]
struct PanickingClock(AtomicBool);

impl crate::words::time::Clock for PanickingClock {
    fn now(&self) -> crate::words::time::Timestamp {
        assert!(!self.0.swap(false, Ordering::AcqRel), "a clock that panics once");
        super::support::START
    }
}

#[tokio::test]
async fn a_panic_in_the_writer_is_an_error_and_the_writer_goes_on() {
    let folder = folder();
    for url in [url(&folder), "sqlite::memory:".to_owned()] {
        let clock = Arc::new(PanickingClock(false.into()));
        let store = SqliteStore::open(&url, &namespace("default"), clock.clone()).await.expect("it opens");
        one(&store, create("before", None)).await;
        clock.0.store(true, Ordering::Release);
        let error = store.execute(0, vec![create("during", None)]).await.expect_err("it panicked");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        one(&store, create("after", None)).await;
        assert_eq!(store.overview().await.expect("read").ready, 2);
        sound(&store).await;
    }
}

#[tokio::test]
async fn what_was_queued_before_a_drop_is_written() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    let commands: Vec<Command> = (0..500).map(|number| create(&format!("i{number}"), None)).collect();
    let mut writing = store.execute(0, commands);
    // Polled once, so that it is queued, then forgotten.
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(writing.as_mut().poll(cx).is_ready())).await;
    drop(writing);
    drop(store);
    let store = open(&folder, &clock).await;
    assert_eq!(store.overview().await.expect("read").ready, 500, "polled to the end: {polled}");
    sound(&store).await;
}
