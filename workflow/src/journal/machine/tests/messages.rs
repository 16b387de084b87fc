//! Timers and messages, and which comes first.

use super::*;
use crate::words::limits::MESSAGE_CHARS_MAX;

#[test]
fn a_sleep_is_recorded_when_it_begins_and_keeps_its_end() {
    let mut script = Script::begin();
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(script.suspend()[0].due, Some(at(2_000)));

    let mut again = Script::over(script.journal.clone());
    again.acknowledge(5_000);
    let sleep = again.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(again.next(), Next::Deliver(sleep), "its time passed while nobody looked");

    let mut early = Script::over(script.journal);
    early.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(early.suspend()[0].due, Some(at(2_000)), "woken early, it sleeps on to the same end");
}

#[test]
fn what_begins_at_a_time_known_within_bounds_is_never_early() {
    let mut script = Script::begin();
    script.machine.tick_between(at(1_200), at(1_207));
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(script.suspend()[0].due, Some(at(2_207)), "counted from the latest time at which it can have begun");

    let mut again = Script::over(script.journal);
    let sleep = again.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    again.machine.tick_between(at(2_206), at(2_230));
    assert_eq!(again.suspend()[0].due, Some(at(2_207)), "due only when it must have come");
    again.machine.tick_between(at(2_207), at(2_231));
    assert_eq!(again.next(), Next::Deliver(sleep));
}

#[test]
fn the_store_is_told_how_much_of_a_pause_a_run_has_counted() {
    let mut script = Script::begin();
    script.ask(Kind::Sleep, "nap", Ask::SleepFor(10 * SECOND));
    script.suspend();
    script.machine.reclaimed(500, granted(1_000, vec![]));
    let write = script.write();
    assert_eq!((write.shifted_ms, write.records.len()), (500, 1));
    // A pause that has been counted is over.
    script.machine.reclaimed(0, granted(2_000, vec![message(1, 1_500, "other", "1")]));
    assert_eq!(script.write().shifted_ms, 0);
    for by_ms in [30, 4] {
        script.machine.reclaimed(by_ms, granted(2_000, vec![]));
    }
    assert_eq!(script.write().shifted_ms, 34);
}

#[test]
fn a_pause_shifts_sleeps_but_not_moments() {
    let mut script = Script::begin();
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    script.ask(Kind::Sleep, "until", Ask::SleepUntil(at(9_000)));
    script.suspend();
    script.machine.reclaimed(500, granted(1_500, vec![]));
    let waits = script.suspend();
    assert_eq!(waits.iter().map(|wait| wait.due.unwrap()).collect::<Vec<_>>(), [at(2_500), at(9_000)]);

    let mut again = Script::over(script.journal);
    again.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    again.ask(Kind::Sleep, "until", Ask::SleepUntil(at(9_000)));
    assert_eq!(again.suspend()[0].due, Some(at(2_500)), "the shift is part of the journal");
}

#[test]
fn an_event_accepted_before_the_deadline_wins_however_late_the_worker_is() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND * 10));
    script.suspend();
    script.machine.granted(granted(15_000, vec![message(1, 10_900, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
}

#[test]
fn a_deadline_before_the_event_wins_and_the_event_stays_for_another_wait() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND * 10));
    script.suspend();
    script.machine.granted(granted(15_000, vec![message(1, 11_001, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::TimedOut));
    let second = script.wait("again", "paid", None);
    assert_eq!(script.next(), Next::Deliver(second));
}

#[test]
fn a_deadline_fires_only_when_every_earlier_message_is_known() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND));
    let body = script.step("long");
    assert_eq!(script.write().then, Then::Hold);
    script.acknowledge(1_000);
    assert_eq!(script.next(), Next::Run(vec![body]));
    script.machine.tick(at(2_500));
    // The clock says the deadline passed; the store is asked before it is believed.
    assert_eq!(script.write().then, Then::Hold);
    script.machine.granted(granted(2_500, vec![message(1, 1_999, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
}

#[test]
fn a_body_that_ended_after_a_deadline_does_not_pass_it_while_the_store_is_asked() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND));
    let body = script.step("long");
    assert_eq!(script.next_after_writes(), Next::Run(vec![body]));
    script.machine.tick(at(2_500));
    script.machine.body_ended(body, 1, Ok(json("1")));
    assert_eq!(script.write().then, Then::Hold);
    script.acknowledge(2_500);
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::TimedOut));
    assert_eq!(script.next(), Next::Deliver(body));
}

#[test]
fn a_body_that_ended_before_a_deadline_comes_first() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND));
    let body = script.step("long");
    assert_eq!(script.next_after_writes(), Next::Run(vec![body]));
    script.machine.tick(at(2_000));
    script.machine.body_ended(body, 1, Ok(json("1")));
    script.machine.tick(at(2_500));
    assert_eq!(script.next(), Next::Deliver(body));
    // The store refuses it, as the deadline has passed.
    script.suspend();
    script.acknowledge(2_500);
    assert_eq!(script.next(), Next::Deliver(wait));
}

#[test]
fn events_of_one_channel_meet_waits_in_order_and_once() {
    let mut script = Script::begin();
    script.machine.granted(granted(1_000, vec![message(1, 500, "e", "1"), message(2, 501, "e", "2")]));
    let (a, b) = (script.wait("a", "e", None), script.wait("b", "e", None));
    assert_eq!(script.next(), Next::Deliver(a));
    assert_eq!(script.machine.poll(a), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
    assert_eq!(script.next(), Next::Deliver(b));
    assert_eq!(script.machine.poll(b), OpPoll::Ready(Outcome::Event { message: 2, payload: json("2") }));
    script.machine.granted(granted(1_001, vec![message(1, 500, "e", "1")]));
    script.wait("c", "e", None);
    assert_eq!(script.write().consumed, [1, 2]);
}

#[test]
fn an_event_that_cannot_be_read_is_set_aside_and_the_wait_goes_on() {
    let mut script = Script::begin();
    script.machine.granted(granted(1_000, vec![message(1, 500, "e", "bad"), message(2, 501, "e", "2")]));
    let wait = script.wait("a", "e", None);
    assert_eq!(script.next(), Next::Deliver(wait));
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    assert_eq!(script.write().consumed, [1, 2]);
    assert!(matches!(script.journal[0].entry, Entry::SetAside { message: 1, .. }));

    let mut again = Script::over(script.journal);
    let wait = again.wait("a", "e", None);
    assert_eq!(again.next(), Next::Deliver(wait));
}

#[test]
fn what_is_recorded_of_an_event_that_cannot_be_read_is_bounded() {
    let mut script = Script::begin();
    script.machine.granted(granted(1_000, vec![message(1, 500, "e", "bad")]));
    let (name, readable) =
        (OpName { kind: Kind::Wait, name: "w", key: None, at: Location::new("t", 1, 1) }, long_reason);
    let channel = Channel::event("e", "");
    script.machine.ask(Machine::ROOT, name, Ask::Wait { channel, timeout: None, readable });
    script.suspend();
    match &script.journal[0].entry {
        Entry::SetAside { reason, .. } => assert_eq!(reason.chars().count(), MESSAGE_CHARS_MAX),
        other => panic!("expected an event that is set aside, got {other:?}"),
    }
}

fn long_reason(_: &Payload) -> Result<(), String> {
    Err("ä".repeat(MESSAGE_CHARS_MAX + 1))
}

#[test]
fn what_a_run_says_that_parks_is_bounded() {
    for park in [Machine::root_panicked, Machine::unreadable] {
        let mut script = Script::begin();
        park(&mut script.machine, "ä".repeat(MESSAGE_CHARS_MAX + 1));
        match script.parked() {
            PauseReason::Panic { message } | PauseReason::Unreadable { message } => {
                assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX);
            }
            other => panic!("expected a panic or what cannot be read, got {other:?}"),
        }
    }
}

#[test]
fn a_lost_race_leaves_no_wait_behind() {
    let mut script = Script::begin();
    let (a, b) = (script.wait("a", "x", None), script.wait("b", "y", None));
    assert_eq!(script.suspend().len(), 2);
    script.machine.granted(granted(2_000, vec![message(1, 1_900, "x", "1")]));
    assert_eq!(script.next(), Next::Deliver(a));
    script.machine.poll(a);
    script.machine.drop_op(b);
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    let waits = script.suspend();
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0].channel, None);
}
