//! The check finds what is wrong: each kind of damage is done to a sound file and must be complained about.

use super::support::{
    accepted, claim, clock, create, finish, folder, found, given, one, open, open_session, own, send, sound, write,
};
use crate::journal::command::{Outgoing, Then};
use crate::words::id::SessionId;

/// A statement that damages the file, and a word of the complaint.
const DAMAGE: &[(&str, &str)] = &[
    ("UPDATE n1_instances SET rank = rank + 1 WHERE id = 'ready'", "ready: its place"),
    ("UPDATE n1_instances SET spot = x'70' WHERE id = 'held'", "held: its place"),
    ("UPDATE n1_instances SET state = 2 WHERE id = 'done'", "done: its place"),
    ("UPDATE n1_instances SET workflow = 'other' WHERE id = 'done'", "a listed column"),
    ("UPDATE n1_instances SET updated_at = 1 WHERE id = 'done'", "a listed column"),
    ("UPDATE n1_instances SET head = x'00' WHERE id = 'done'", "done: damaged bytes"),
    ("DELETE FROM n1_specs WHERE key = (SELECT key FROM n1_instances WHERE id = 'done')", "done: it has no spec"),
    ("DELETE FROM n1_records WHERE seq = 0", "held: the journal of run 1 has a gap"),
    ("DELETE FROM n1_records WHERE seq = 1", "held: the head counts other records"),
    ("UPDATE n1_records SET run = 7", "run 7 has records and is not kept"),
    ("DELETE FROM n1_messages", "ready: the head counts other messages"),
    ("DELETE FROM n1_events", "ready: 0 event ids"),
    ("UPDATE n1_outbox SET number = 9", "an outgoing command is newer"),
    ("DELETE FROM n1_sessions", "a session that does not exist"),
    ("INSERT INTO n1_archives VALUES ((SELECT key FROM n1_instances WHERE id = 'done'), 3, 0)", "an old run"),
    ("DELETE FROM n1_instances WHERE id = 'held'", "2 records belong to no instance"),
    ("DELETE FROM n1_instances WHERE id = 'ready'", "1 messages belong to no instance"),
    ("INSERT INTO n1_archives VALUES (99, 1, 0)", "1 old runs belong to no instance"),
    ("INSERT INTO n1_events VALUES (99, 'e')", "1 event ids belong to no instance"),
    ("INSERT INTO n1_outbox VALUES (99, 1, 0, x'')", "1 outgoing commands belong to no instance"),
    ("UPDATE n1_events SET event_id = 'other'", "ready: the id of message 1 is not known"),
    ("UPDATE n1_messages SET seq = 9", "ready: the head counts other messages"),
    ("UPDATE n1_messages SET seq = -9", "ready: a negative number"),
    ("UPDATE n1_outbox SET outgoing = x'00'", "held: outgoing command 1 cannot be read"),
    ("UPDATE n1_sessions SET state = x'00'", "session 00000000000000000000000000000001 cannot be read"),
    ("UPDATE n1_sessions SET session = x'00'", "the id of a session cannot be read"),
    ("INSERT INTO n1_limits VALUES ('worder', x'00')", "the limit of workflow order cannot be read"),
    ("INSERT INTO n1_limits VALUES ('zorder', x'00')", "a limit is of nothing that can be limited"),
    ("UPDATE n1_instances SET id = 'no id' WHERE id = 'done'", "what is no id has an instance"),
    ("UPDATE n1_instances SET spot = x'78' WHERE id = 'done'", "done: it was set aside"),
];

#[tokio::test]
async fn every_kind_of_damage_is_found() {
    for (damage, complaint) in DAMAGE {
        let (folder, clock, session) = (folder(), clock(), SessionId(1));
        let store = open(&folder, &clock).await;
        one(&store, open_session(session)).await;
        for name in ["done", "held"] {
            one(&store, create(name, Some(session))).await;
        }
        let held = given(&store, claim(session, 10)).await;
        assert!(held.is_empty(), "they were handed over when they were created");
        let v = |name| {
            let store = &store;
            async move {
                let snapshot = crate::store::Store::inspect(store, super::support::id(name)).await.expect("read");
                snapshot.expect("it exists").head.v
            }
        };
        accepted(&store, own("done", session, 1, v("done").await, write(&[], finish()))).await;
        let mut held = write(&["a", "b"], Then::Hold);
        held.outgoing = vec![Outgoing::Close { child: super::support::id("child"), reason: "no".to_owned() }];
        accepted(&store, own("held", session, 1, v("held").await, held)).await;
        one(&store, create("ready", None)).await;
        one(&store, send("ready", "e")).await;
        sound(&store).await;

        let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
        assert!(file.execute(damage, []).expect("damaged") > 0, "{damage} did nothing");
        let wrong = found(&store).await;
        assert!(wrong.iter().any(|line| line.contains(complaint)), "after {damage}: {wrong:?}");
    }
}
