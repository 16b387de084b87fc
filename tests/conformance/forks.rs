//! Runs that are restarted from an operation: where they come from, what is kept, and for how long.

use std::sync::Arc;

use workflow::journal::command::{
    Action, ClaimReply, Command, Control, ControlReply, InstanceSpec, Outgoing, OwnReply, Parent, ParentClose, Then,
    Write,
};
use workflow::journal::head::{Fork, State};
use workflow::journal::path::{Kind, Path};

use crate::world::{Held, World, finish, id, payload, record, spec, wait_for, write};

on_every_store!(
    a_fork_says_where_it_comes_from_until_it_is_taken_over_and_after,
    the_source_stays_until_it_is_taken_over,
    a_fork_keeps_its_mailbox_and_the_time_it_began,
    a_fork_closes_children_and_takes_the_instance_from_its_owner,
    nothing_recorded_is_nothing_to_come_from,
    what_was_found_in_a_run_that_is_not_the_source_any_more_is_refused,
    the_newer_wish_counts_while_a_fork_is_open,
    a_fork_of_a_fork_goes_on_with_the_same_streams,
    a_restart_forgets_the_fork,
    a_source_that_a_restart_forgets_is_kept_no_longer_than_any_old_run,
    a_repeated_fork_is_answered_as_the_first,
    only_what_is_open_is_taken_over,
    what_was_taken_over_is_kept_no_longer_for_a_second_time,
);

fn path(name: &str) -> Path {
    Path::root().join(Kind::Step, name, None, 0)
}

/// As found in the first run.
fn from(name: &str) -> Action {
    from_run(1, name)
}

fn from_run(source: u32, name: &str) -> Action {
    Action::RestartFrom { path: path(name), source }
}

fn fork(source: u32, streams: u32, name: &str, open: bool) -> Fork {
    Fork { source, streams, path: path(name), open }
}

fn taken_over(kept: &[&str]) -> Write {
    Write { records: kept.iter().map(|text| payload(text)).collect(), ..write(Then::Forked) }
}

fn a_fork_says_where_it_comes_from_until_it_is_taken_over_and_after(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.done(&mut held, record("two"));
    assert_eq!(w.control("i", from("two")), ControlReply::Done(State::Queued));
    let claim = w.new_claim(session);
    let ClaimReply::Given { instances, .. } = w.claim_as(&claim) else { panic!("it lives") };
    assert_eq!((instances[0].run, instances[0].records), (2, 0));
    assert_eq!(instances[0].fork, Some(fork(1, 1, "two", true)));
    // The answer may be lost.
    let ClaimReply::Given { instances: again, .. } = w.claim_as(&claim) else { panic!("it lives") };
    assert_eq!(again, instances);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned(), "two".to_owned()]));
    let mut held = Held::new(instances[0].clone(), session);
    w.done(&mut held, taken_over(&["one"]));
    w.done(&mut held, record("two again"));
    assert_eq!(w.head("i").fork, Some(fork(1, 1, "two", false)));
    assert_eq!(w.journal("i", 2), Some(vec!["one".to_owned(), "two again".to_owned()]));
}

fn the_source_stays_until_it_is_taken_over(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("one"));
    w.advance(1_000_000_000);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 0);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
    let mut held = w.claim_one(session);
    w.done(&mut held, taken_over(&[]));
    assert_eq!(w.inspect("i").expect("it runs").runs, [1, 2]);
    w.advance(119_999);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 0);
    w.advance(1);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 1);
    assert_eq!((w.journal("i", 1), w.journal("i", 2)), (None, Some(Vec::new())));
}

fn a_fork_keeps_its_mailbox_and_the_time_it_began(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let began = w.head("i").started_at;
    w.advance(70);
    w.done(&mut held, record("one"));
    w.send("i", "x", "first");
    w.control("i", from("one"));
    let head = w.head("i");
    assert_eq!((head.arrivals, head.unread, head.started_at, head.begun), (1, 1, began, false));
    w.send("i", "x", "first");
    w.send("i", "x", "second");
    let held = w.claim_one(session);
    assert_eq!(held.event_ids(), ["first", "second"]);
}

fn a_fork_closes_children_and_takes_the_instance_from_its_owner(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let parent = Parent { id: id("i"), run: 1, on_close: ParentClose::Terminate };
    let child = InstanceSpec { parent: Some(parent), ..spec() };
    let child = Outgoing::CreateChild { id: id("c"), spec: Arc::new(child) };
    w.done(&mut held, Write { outgoing: vec![child], ..record("one") });
    w.control("i", from("one"));
    assert_eq!(w.own(&mut held, record("late")), OwnReply::Stale);
    assert_eq!(w.notices(session), [id("i")]);
    let closes = |pending: &workflow::store::Pending| matches!(pending.outgoing, Outgoing::Close { .. });
    assert_eq!(w.outbox().iter().filter(|pending| closes(pending)).count(), 1);
    assert_eq!(w.head("i").children, [], "those of the new run are to come");
}

fn nothing_recorded_is_nothing_to_come_from(w: &mut World) {
    w.make("i");
    assert_eq!(w.control("i", from("one")), ControlReply::Refused(State::Queued));
    assert_eq!(w.head("i").run, 1);
    assert_eq!(w.control("nobody", from("one")), ControlReply::Unknown);
}

fn what_was_found_in_a_run_that_is_not_the_source_any_more_is_refused(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.done(&mut held, record("two"));
    w.control("i", from("two"));
    assert_eq!(w.control("i", from_run(2, "two")), ControlReply::Refused(State::Queued), "it has not begun");
    let mut held = w.claim_one(session);
    w.done(&mut held, taken_over(&["one"]));
    let before = w.head("i");
    assert_eq!(w.control("i", from_run(1, "two")), ControlReply::Refused(State::Running), "it has begun");
    assert_eq!(w.head("i"), before);
    w.control("i", Action::Restart);
    let mut held = w.claim_one(session);
    w.done(&mut held, record("one"));
    assert_eq!(w.control("i", from_run(2, "one")), ControlReply::Refused(State::Running), "it began anew");
    assert_eq!(w.control("i", from_run(3, "one")), ControlReply::Done(State::Queued));
}

fn the_newer_wish_counts_while_a_fork_is_open(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("one"));
    w.control("i", from("two"));
    assert_eq!((w.head("i").run, w.head("i").fork), (3, Some(fork(1, 1, "two", true))));
    // The one between them had nothing of its own, and is kept as any old run.
    w.advance(120_000);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 1);
    assert_eq!(w.inspect("i").expect("it waits").runs, [1, 3]);
}

fn a_fork_of_a_fork_goes_on_with_the_same_streams(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("two"));
    let mut held = w.claim_one(session);
    w.done(&mut held, taken_over(&["one"]));
    w.done(&mut held, finish("1"));
    w.control("i", from_run(2, "one"));
    assert_eq!(w.head("i").fork, Some(fork(2, 1, "one", true)));
}

fn a_restart_forgets_the_fork(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("one"));
    w.control("i", Action::Restart);
    let held = w.claim_one(session);
    assert_eq!((held.run, w.head("i").fork), (3, None));
}

fn a_source_that_a_restart_forgets_is_kept_no_longer_than_any_old_run(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("one"));
    w.advance(1_000);
    w.control("i", Action::Restart);
    assert_eq!(w.inspect("i").expect("it waits").runs, [1, 2, 3]);
    w.advance(119_999);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 0);
    w.advance(1);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 2);
    assert_eq!((w.inspect("i").expect("it waits").runs, w.journal("i", 1)), (vec![3], None));
}

fn a_repeated_fork_is_answered_as_the_first(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    let control = Control { request: w.request(), id: id("i"), run: None, action: from("one") };
    let first = w.control_as(&control);
    w.claim_one(session);
    assert_eq!(w.control_as(&control), first);
    assert_eq!(w.head("i").run, 2);
}

fn only_what_is_open_is_taken_over(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspended());
    w.send("i", "x", "wakes");
    let mut held = w.claim_one(session);
    w.done(&mut held, taken_over(&["r"]));
    assert_eq!((w.head("i").fork, w.inspect("i").expect("it runs").runs), (None, vec![1]));
}

fn what_was_taken_over_is_kept_no_longer_for_a_second_time(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.control("i", from("one"));
    let mut held = w.claim_one(session);
    w.done(&mut held, taken_over(&[]));
    w.advance(119_999);
    w.done(&mut held, taken_over(&["r"]));
    w.advance(1);
    assert_eq!(w.count(Command::Expire { limit: 100 }), 1);
    assert_eq!(w.inspect("i").expect("it runs").runs, [2]);
}

fn suspended() -> Write {
    Write { records: vec![payload("begun")], ..write(Then::Suspend { waits: vec![wait_for("x")], paused: false }) }
}
