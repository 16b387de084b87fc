//! Nothing is left of what has expired: neither rows nor bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::support::{
    accepted, claim, clock, create, finish, folder, given, id, one, open, open_session, own, send, sound, spec, write,
};
use crate::journal::command::{Action, Command, Control, Outgoing, Reply, Then, Write};
use crate::journal::table::outbox;
use crate::store::{Pending, Store};
use crate::words::id::{RequestId, SessionId};
use crate::words::time::Timestamp;

const KEPT: Duration = Duration::from_secs(61);
const CHILDREN: usize = 30;

fn rows(folder: &tempfile::TempDir) -> Vec<(String, i64)> {
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    let mut names =
        file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").expect("compiled");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("read").collect::<Result<_, _>>().expect("names");
    let count = |name: &str| file.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0));
    names.into_iter().map(|name| (name.clone(), count(&name).expect("counted"))).collect()
}

/// The bytes of the file without what is free in it: SQLite's own count.
fn pages(folder: &tempfile::TempDir) -> i64 {
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    file.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("counted")
}

fn control(name: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(name), run: None, action })
}

fn restart(name: &str) -> Command {
    control(name, Action::Restart)
}

#[tokio::test]
async fn rows_and_bytes_are_as_before_when_everything_has_expired() {
    let (folder, clock, session) = (folder(), clock(), SessionId(1));
    let store = open(&folder, &clock).await;
    one(&store, open_session(session)).await;
    let before = rows(&folder);
    let long = "x".repeat(10_000);
    for number in 0..300 {
        let name = format!("i{number}");
        one(&store, create(&name, None)).await;
        one(&store, send(&name, "e")).await;
    }
    // Some leave an old run behind.
    for claimed in given(&store, claim(session, 20)).await {
        accepted(&store, own(claimed.id.as_str(), session, 1, claimed.v, write(&[&long], Then::Hold))).await;
        one(&store, restart(claimed.id.as_str())).await;
    }
    // Some leave children.
    for claimed in given(&store, claim(session, CHILDREN)).await {
        let child = id(&format!("child-of-{}", claimed.id));
        let outgoing = vec![Outgoing::CreateChild { id: child, spec: Arc::new(spec()) }];
        let written = Write { outgoing, ..write(&["a"], finish()) };
        accepted(&store, own(claimed.id.as_str(), session, claimed.run, claimed.v, written)).await;
    }
    for Pending { source, number, outgoing } in store.outbox(Timestamp::MAX, 100).await.expect("read") {
        one(&store, outbox::command(&source, number, &outgoing)).await;
        one(&store, Command::Sent { source, numbers: vec![number] }).await;
    }
    // Some are paused, and never go on.
    for number in 250..300 {
        for action in [Action::Pause, Action::Terminate { reason: "not wanted".to_owned() }] {
            one(&store, control(&format!("i{number}"), action)).await;
        }
    }
    loop {
        let claimed = given(&store, claim(session, 100)).await;
        if claimed.is_empty() {
            break;
        }
        for claimed in claimed {
            let written = write(&[&long, "b"], finish());
            accepted(&store, own(claimed.id.as_str(), session, claimed.run, claimed.v, written)).await;
        }
    }
    sound(&store).await;
    let grown = pages(&folder);
    assert_eq!(one(&store, Command::Expire { limit: 1_000 }).await, Reply::Count { done: 0, next_due: None });

    clock.advance(KEPT);
    let mut expired = 0;
    while expired < 300 + CHILDREN {
        match one(&store, Command::Expire { limit: 64 }).await {
            Reply::Count { done, .. } if done > 0 => expired += done,
            other => panic!("{expired} are gone, then {other:?}"),
        }
    }
    assert_eq!(one(&store, Command::Expire { limit: 64 }).await, Reply::Count { done: 0, next_due: None });
    assert_eq!(rows(&folder), before);
    sound(&store).await;
    // The file shrinks while nothing else is asked; closing waits for a step of it at most.
    let deadline = Instant::now() + Duration::from_secs(20);
    while pages(&folder) > 300 {
        assert!(Instant::now() < deadline, "{} pages of {grown} are left", pages(&folder));
        tokio::task::yield_now().await;
    }
    assert!(grown > 600, "{grown} pages are too few to show anything");
}

#[tokio::test]
async fn an_old_run_goes_before_its_instance_does() {
    let (folder, clock) = (folder(), clock());
    let store = open(&folder, &clock).await;
    one(&store, create("x", None)).await;
    one(&store, restart("x")).await;
    assert_eq!(store.inspect(id("x")).await.expect("read").expect("it exists").runs, [1, 2]);
    assert_eq!(store.journal(id("x"), 1, 0).await.expect("read"), Some(Vec::new()));
    clock.advance(KEPT);
    assert_eq!(one(&store, Command::Expire { limit: 10 }).await, Reply::Count { done: 1, next_due: None });
    assert_eq!(store.inspect(id("x")).await.expect("read").expect("it exists").runs, [2]);
    assert_eq!(store.journal(id("x"), 1, 0).await.expect("read"), None);
    sound(&store).await;
}
