//! Writes that must not be: each is refused in its word, and not one byte of the server changes.

use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Command, Control, Ending, OwnReply, Owner, OwnerWrite, Reply, Then, Wait, Write,
};
use workflow::journal::path::{Kind, Path};
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::limits::JOURNAL_BYTES_MAX;
use workflow::words::payload::Payload;

use super::stage::{LEASE, SESSION, create, dump, made, once, open, own, record, runtime, start, write};

/// An append that the scripts carry out by the short way, and writes that take the long one.
fn every_way() -> Vec<Write> {
    let wait = Wait { path: Path::root().join(Kind::Sleep, "s", None, 0), channel: None, due: None, shifts: false };
    vec![
        write(vec![record(8)], Then::Hold),
        Write { consumed: vec![1], ..write(vec![record(8)], Then::Hold) },
        write(vec![record(8), record(8)], Then::Hold),
        write(Vec::new(), Then::Clear),
        write(vec![record(8)], Then::Suspend { waits: vec![wait], paused: false }),
        write(vec![record(8)], Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) })),
        write(Vec::new(), Then::Release),
    ]
}

/// Sends each kind of write as `owner`; all are refused so, and nothing changes.
async fn refused(server: &RedisServer, store: &RedisStore, owner: &Owner, how: &OwnReply) {
    let before = dump(server);
    for write in every_way() {
        let reply = own(store, owner, write.clone()).await;
        assert_eq!(&reply, how, "{write:?}");
        assert_eq!(dump(server), before, "{write:?}");
    }
}

#[test]
fn an_owner_whose_state_version_is_old_changes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        assert!(matches!(own(&store, &owner, write(vec![record(8)], Then::Hold)).await, OwnReply::Ok(_)));
        refused(&server, &store, &owner, &OwnReply::Stale).await;
    });
}

#[test]
fn an_owner_of_what_the_store_has_not_seen_is_told_that_the_store_is_behind() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        refused(&server, &store, &Owner { v: owner.v + 1, ..owner.clone() }, &OwnReply::Behind).await;
        refused(&server, &store, &Owner { run: 2, ..owner }, &OwnReply::Behind).await;
    });
}

#[test]
fn another_session_changes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        let other = SessionId(8);
        refused(&server, &store, &Owner { session: other, ..owner.clone() }, &OwnReply::Fenced).await;
        once(&store, Command::OpenSession { session: other, lease: LEASE }).await.expect("it opens");
        refused(&server, &store, &Owner { session: other, ..owner }, &OwnReply::Stale).await;
    });
}

#[test]
fn a_session_that_was_closed_changes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        once(&store, Command::CloseSession { session: SESSION }).await.expect("it closes");
        refused(&server, &store, &owner, &OwnReply::Fenced).await;
    });
}

#[test]
fn an_owner_whose_run_was_replaced_changes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        let id = owner.id.clone();
        let restart = Control { request: RequestId::generate(), id, run: None, action: Action::Restart };
        once(&store, Command::Control(restart)).await.expect("it works");
        refused(&server, &store, &owner, &OwnReply::Stale).await;
    });
}

#[test]
fn an_owner_of_what_is_gone_makes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "a").await;
        let gone = Owner { id: InstanceId::new("b").expect("valid"), ..owner };
        refused(&server, &store, &gone, &OwnReply::Gone).await;
    });
}

#[test]
fn what_a_journal_cannot_take_is_refused_whole() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let mut owner = start(&store, "a").await;
        let half = usize::try_from(JOURNAL_BYTES_MAX / 2).expect("it fits");
        let OwnReply::Ok(granted) = own(&store, &owner, write(vec![record(half)], Then::Hold)).await else {
            panic!("half of a journal is taken");
        };
        owner.v = granted.v;
        let before = dump(&server);
        for records in [vec![record(half + 1)], vec![record(half), record(1)]] {
            assert_eq!(own(&store, &owner, write(records, Then::Hold)).await, OwnReply::Full);
            assert_eq!(dump(&server), before);
        }
    });
}

#[test]
fn a_write_that_is_sent_again_is_answered_as_the_first_time_and_changes_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        for (number, write) in every_way().into_iter().enumerate() {
            let owner = start(&store, &format!("i{number}")).await;
            let own = Command::Own(OwnerWrite { request: RequestId::generate(), owner, write });
            let first = once(&store, own.clone()).await.expect("it works");
            let before = dump(&server);
            assert_eq!(word(&once(&store, own.clone()).await.expect("it works")), word(&first), "{own:?}");
            assert_eq!(dump(&server), before, "{own:?}");
            // What was released is ready, and would be started before what the next turn makes.
            once(&store, Command::CloseSession { session: SESSION }).await.expect("it closes");
            server.command(&["FLUSHALL"]);
        }
        let create = Command::Create(create("again"));
        assert_eq!(once(&store, create.clone()).await.expect("it works"), made());
        let before = dump(&server);
        assert_eq!(once(&store, create).await.expect("it works"), made());
        assert_eq!(dump(&server), before);
    });
}

/// The kind of an answer: a repeat is told a later time.
fn word(reply: &Reply) -> (&'static str, u64) {
    match reply {
        Reply::Own(OwnReply::Ok(granted)) => ("ok", granted.v),
        Reply::Own(OwnReply::Continue(granted)) => ("continue", granted.v),
        other => panic!("{other:?}"),
    }
}
