//! What is true after a restart of the store: everything that was acknowledged.
//!
//! A store in memory has no restart; this theme runs on the others.

use workflow::journal::command::{Action, Command, Write};
use workflow::journal::head::State;

use crate::world::{World, finish, names, payload, record, sleep_until, suspend, wait_for, write};

on_stores_that_survive!(
    every_place_is_as_it_was,
    journals_of_old_runs_are_as_they_were,
    messages_event_ids_and_outgoing_commands_are_as_they_were,
    requests_are_still_remembered,
    sessions_go_on_where_they_were,
);

fn every_place_is_as_it_was(w: &mut World) {
    let session = w.open(1);
    for name in ["asleep", "inbox"] {
        let mut held = w.hold(name, session);
        w.done(&mut held, suspend(vec![wait_for("paid"), sleep_until(w.in_ms(1_000))]));
    }
    let mut held = w.hold("held", session);
    let mut finished = w.hold("done", session);
    w.done(&mut finished, Write { records: vec![payload("r")], ..finish("1") });
    w.make("paused");
    w.control("paused", Action::Pause);
    w.make_with("shelved", |spec| spec.version = 2);
    assert!(w.claim(session).is_empty());
    w.send("inbox", "paid", "e");
    w.make("ready");
    let every = ["asleep", "inbox", "held", "done", "paused", "shelved", "ready"];
    let before = every.map(|name| w.head(name));
    let overview = w.wait(w.store().overview()).expect("the store works");
    w.reopen();
    assert_eq!(every.map(|name| w.head(name)), before);
    assert_eq!(w.wait(w.store().overview()).expect("the store works"), overview);
    w.done(&mut held, record("goes on"));
    w.advance(1_000);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 1);
    w.control("paused", Action::Resume);
    let mut given: Vec<String> = names(&w.claim(session)).into_iter().map(str::to_owned).collect();
    given.sort();
    assert_eq!(given, ["asleep", "inbox", "paused", "ready"]);
}

fn journals_of_old_runs_are_as_they_were(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", Action::Restart);
    let mut held = w.claim_one(session);
    w.done(&mut held, record("two"));
    w.reopen();
    assert_eq!(w.inspect("i").expect("it exists").runs, [1, 2]);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
    assert_eq!(w.journal("i", 2), Some(vec!["two".to_owned()]));
}

fn messages_event_ids_and_outgoing_commands_are_as_they_were(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    w.send("i", "paid", "a");
    w.send("i", "paid", "b");
    let mut held = w.claim_one(session);
    let outgoing = workflow::journal::command::Outgoing::Close { child: crate::world::id("c"), reason: "r".to_owned() };
    w.done(&mut held, Write { consumed: vec![1], outgoing: vec![outgoing], ..record("a") });
    let outbox = w.outbox();
    w.reopen();
    assert_eq!(w.outbox(), outbox);
    w.send("i", "paid", "a");
    w.done(&mut held, write(workflow::journal::command::Then::Release));
    assert_eq!(w.claim_one(session).event_ids(), ["b"]);
}

fn requests_are_still_remembered(w: &mut World) {
    let session = w.open(1);
    let create = w.new_instance("i");
    w.create(&create);
    let claim = w.new_claim(session);
    let held = w.claim_with(&claim).0.remove(0);
    w.reopen();
    assert_eq!(w.claim_with(&claim).0[0].v, held.v);
    let request = held.request(w.request(), record("one"));
    let first = w.own_as(&request);
    w.reopen();
    assert_eq!(w.own_as(&request), first);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
    assert!(matches!(w.create(&create), workflow::journal::command::CreateReply::Created { claimed: None }));
}

fn sessions_go_on_where_they_were(w: &mut World) {
    let (lives, lost) = (w.open(1), w.open(2));
    let _held = w.hold("i", lost);
    w.advance(9_000);
    w.beat(lives);
    w.advance(1_000);
    w.apply(Command::Fence { session: lost, beats: 0 });
    let before = (w.session(lives), w.session(lost));
    w.reopen();
    assert_eq!((w.session(lives), w.session(lost)), before);
    assert_eq!(w.count(Command::Recover { session: lost, limit: 10 }), 1);
    assert_eq!(w.state("i"), State::Queued);
}
