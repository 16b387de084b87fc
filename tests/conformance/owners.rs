//! What an owner writes: appended, consumed, waited for, ended, given back.

use std::time::Duration;

use workflow::journal::command::{Action, Command, Ending, OwnReply, Owner, PauseReason, Then, Write};
use workflow::journal::head::{End, Place, State};
use workflow::words::failure::{FailureData, FailureKind};
use workflow::words::limits::{JOURNAL_BYTES_MAX, RECORDS_MAX};

use crate::world::{World, finish, names, payload, record, sleep_until, suspend, wait_for, write};

on_every_store!(
    records_are_appended_in_order_and_read_back_from_any_place,
    every_write_raises_the_version_and_the_old_one_is_stale,
    whatever_gives_a_version_gives_one_that_is_not_behind_the_stores_time,
    a_run_that_finishes_keeps_its_output_and_its_journal,
    a_run_that_fails_keeps_its_error,
    an_instance_given_back_is_ready_for_anyone_at_once,
    a_parked_instance_shows_why,
    a_suspended_instance_is_held_by_nobody,
    a_write_of_a_finished_run_is_stale,
    a_write_to_what_was_never_there_is_gone,
    a_full_journal_refuses_records_and_can_still_be_ended,
    a_journal_that_is_full_of_bytes_refuses_one_more_and_can_still_be_ended,
    several_writes_of_one_batch_are_carried_out_in_order,
    a_write_is_carried_out_before_the_fence_that_follows_it_in_its_batch,
);

fn records_are_appended_in_order_and_read_back_from_any_place(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.done(&mut held, Write { records: vec![payload("two"), payload("")], ..write(Then::Hold) });
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned(), "two".to_owned(), String::new()]));
    let tail = w.wait(w.store().journal(held.id.clone(), 1, 2)).expect("the store works");
    assert_eq!(tail, Some(vec![payload("")]));
    assert_eq!(w.wait(w.store().journal(held.id.clone(), 1, 9)).expect("the store works"), Some(Vec::new()));
    let head = w.head("i");
    assert_eq!((head.records, head.journal_bytes), (3, 6));
}

fn every_write_raises_the_version_and_the_old_one_is_stale(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let late = held.request(w.request(), record("late"));
    let before = held.v;
    w.done(&mut held, record("one"));
    assert!(held.v > before);
    assert_eq!(w.own_as(&late), OwnReply::Stale);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
}

/// A store that lost writes and is back after its clock has passed them gives none of their versions again.
fn whatever_gives_a_version_gives_one_that_is_not_behind_the_stores_time(w: &mut World) {
    let at_the_time = |w: &World, what: &str| {
        let time = u64::try_from(w.now().as_millis()).expect("a time of now");
        assert_eq!(w.head("i").v, time, "{what}");
        w.advance(1_000);
    };
    let (first, second) = (w.open(1), w.open(2));
    w.make("i");
    w.advance(1_000);
    let mut held = w.claim_one(first);
    at_the_time(w, "a claim");
    w.done(&mut held, record("one"));
    at_the_time(w, "a record");
    w.done(&mut held, write(Then::Clear));
    at_the_time(w, "a write without a record");
    w.own(&mut held, suspend(vec![wait_for("x")]));
    at_the_time(w, "a suspend");
    w.send("i", "x", "e1");
    at_the_time(w, "a wake");
    w.count(Command::Unstick { older_than: Duration::ZERO, limit: 9 });
    at_the_time(w, "a look for what is stuck");
    w.control("i", Action::Pause);
    at_the_time(w, "a pause");
    w.control("i", Action::Resume);
    at_the_time(w, "a resume");
    w.claim_one(second);
    w.advance(1_000);
    w.crash(second);
    let handed_over = w.head("i").v;
    assert_eq!(i64::try_from(handed_over), Ok(w.now().as_millis()), "a recovery");
    w.advance(1_000);
    w.control("i", Action::Restart);
    at_the_time(w, "a restart");
    let mut held = w.claim_one(first);
    w.advance(1_000);
    w.done(&mut held, finish("1"));
    at_the_time(w, "an end");
    w.control("i", Action::Restart);
    w.advance(1_000);
    w.terminate("i");
    at_the_time(w, "a termination");
}

fn a_run_that_finishes_keeps_its_output_and_its_journal(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.advance(7);
    w.done(&mut held, Write { records: vec![payload("last")], ..finish("42") });
    let head = w.head("i");
    assert_eq!(head.state(), State::Complete);
    let Place::Done { end: End::Returned(ending), at, expires_at } = head.place else { panic!("{head:?}") };
    assert_eq!((ending.result, at, expires_at), (Ok(payload("42")), w.now(), w.in_ms(60_000)));
    assert_eq!(w.journal("i", 1), Some(vec!["last".to_owned()]));
    assert!(w.claim(session).is_empty());
}

fn a_run_that_fails_keeps_its_error(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let mut failure = FailureData::new(FailureKind::TimedOut, "shop::Error", "no stock");
    failure.data = Some(payload("{}"));
    failure.chain = vec!["cause".to_owned()];
    w.done(&mut held, write(Then::Finish(Ending { result: Err(failure.clone()) })));
    let head = w.head("i");
    assert_eq!(head.state(), State::Errored);
    assert!(
        matches!(head.place, Place::Done { end: End::Returned(Ending { result: Err(found) }), .. } if found == failure)
    );
}

fn an_instance_given_back_is_ready_for_anyone_at_once(w: &mut World) {
    let (session, other) = (w.open(1), w.open(2));
    let mut held = w.hold("i", session);
    w.done(&mut held, Write { records: vec![payload("one")], ..write(Then::Release) });
    let again = w.claim_one(other);
    assert_eq!((again.records, again.suspect), (1, false));
    assert_eq!(w.own(&mut held, record("late")), OwnReply::Stale);
}

fn a_parked_instance_shows_why(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let reason = PauseReason::Panic { message: "index out of bounds".to_owned() };
    w.done(&mut held, write(Then::Park(reason.clone())));
    let head = w.head("i");
    assert_eq!(head.state(), State::Paused);
    assert!(matches!(head.place, Place::Paused { reason: found, .. } if found == reason));
    assert!(w.claim(session).is_empty());
}

fn a_suspended_instance_is_held_by_nobody(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let waits = vec![wait_for("paid"), sleep_until(w.in_ms(1_000))];
    w.done(&mut held, suspend(waits.clone()));
    let head = w.head("i");
    assert_eq!(head.state(), State::Waiting);
    assert_eq!(head.place, Place::Asleep { waits, sticky: Some(session) });
    assert!(names(&w.claim(session)).is_empty());
    assert_eq!(w.own(&mut held, record("late")), OwnReply::Stale);
}

fn a_write_of_a_finished_run_is_stale(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, finish("1"));
    assert_eq!(w.own(&mut held, finish("2")), OwnReply::Stale);
    assert!(
        matches!(w.head("i").place, Place::Done { end: End::Returned(ending), .. } if ending.result == Ok(payload("1")))
    );
}

fn a_write_to_what_was_never_there_is_gone(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    held.id = crate::world::id("other");
    assert_eq!(w.own(&mut held, record("one")), OwnReply::Gone);
    assert_eq!(w.inspect("other"), None);
}

fn a_full_journal_refuses_records_and_can_still_be_ended(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let records = usize::try_from(RECORDS_MAX).expect("fits");
    w.done(&mut held, Write { records: vec![payload("r"); records], ..write(Then::Hold) });
    assert_eq!(w.own(&mut held, record("one more")), OwnReply::Full);
    let last = Write { records: vec![payload("one more")], ..finish("1") };
    assert_eq!(w.own(&mut held, last), OwnReply::Full);
    assert_eq!(w.head("i").records, RECORDS_MAX);
    w.done(&mut held, finish("1"));
    assert_eq!(w.state("i"), State::Complete);
}

fn a_journal_that_is_full_of_bytes_refuses_one_more_and_can_still_be_ended(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let half = "r".repeat(usize::try_from(JOURNAL_BYTES_MAX / 2).expect("fits"));
    w.done(&mut held, record(&half));
    w.done(&mut held, record(&half));
    assert_eq!(w.own(&mut held, record("r")), OwnReply::Full);
    let last = Write { records: vec![payload("r")], ..finish("1") };
    assert_eq!(w.own(&mut held, last), OwnReply::Full);
    let head = w.head("i");
    assert_eq!((head.records, head.journal_bytes), (2, JOURNAL_BYTES_MAX));
    w.done(&mut held, finish("1"));
}

fn several_writes_of_one_batch_are_carried_out_in_order(w: &mut World) {
    use workflow::journal::command::{Command, Reply};
    let session = w.open(1);
    let (mut a, b) = (w.hold("a", session), w.hold("b", session));
    let first = a.request(w.request(), record("a1"));
    a.v += 1;
    let second = a.request(w.request(), record("a2"));
    let owner = Owner { v: b.v + 1, ..b.request(w.request(), record("x")).owner };
    let wrong = workflow::journal::command::OwnerWrite { owner, ..b.request(w.request(), record("x")) };
    let other = b.request(w.request(), record("b1"));
    let replies = w.execute([first, second, wrong, other].into_iter().map(Command::Own).collect());
    let fine: Vec<bool> = replies.iter().map(|reply| matches!(reply, Reply::Own(OwnReply::Ok(_)))).collect();
    assert_eq!(fine, [true, true, false, true], "one refused write stops no other");
    assert_eq!(w.journal("a", 1), Some(vec!["a1".to_owned(), "a2".to_owned()]));
    assert_eq!(w.journal("b", 1), Some(vec!["b1".to_owned()]));
}

fn a_write_is_carried_out_before_the_fence_that_follows_it_in_its_batch(w: &mut World) {
    use workflow::journal::command::{Command, Reply};
    let session = w.open(1);
    let held = w.hold("i", session);
    // Its owner is disturbed: a store that looks whether it can take a short cut finds that it cannot.
    w.control("i", Action::Pause);
    w.advance(60_000);
    let write = Command::Own(held.request(w.request(), record("one")));
    let replies = w.execute(vec![write, Command::Fence { session, beats: 0 }]);
    assert!(matches!(&replies[0], Reply::Own(OwnReply::Ok(granted)) if granted.pause), "{replies:?}");
    assert_eq!(replies[1], Reply::Fence(true));
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
}
