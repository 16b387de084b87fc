//! Timers: never early, never lost, in order, and the session that has it in memory is asked first.

use std::time::Duration;

use workflow::journal::command::{Command, OwnReply, Reply};
use workflow::journal::head::{Place, State};

use crate::world::{World, names, sleep_until, suspend, wait_for};

on_every_store!(
    a_timer_wakes_when_it_is_due_and_not_a_millisecond_before,
    the_earliest_of_several_waits_counts,
    timers_wake_in_order_and_a_few_at_a_time,
    a_wake_says_when_the_next_timer_is_due,
    a_woken_instance_is_for_the_session_that_has_it_in_memory,
    an_inbox_nobody_empties_goes_to_anyone_after_a_while,
    a_suspend_with_a_timer_that_is_due_goes_on,
    a_wait_without_time_is_not_woken_by_the_clock,
);

fn nap(w: &World, name: &str, session: workflow::words::id::SessionId, millis: i64) {
    let mut held = w.hold(name, session);
    w.done(&mut held, suspend(vec![sleep_until(w.in_ms(millis))]));
}

fn a_timer_wakes_when_it_is_due_and_not_a_millisecond_before(w: &mut World) {
    let session = w.open(1);
    nap(w, "i", session, 1_000);
    w.advance(999);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 0);
    assert_eq!(w.state("i"), State::Waiting);
    w.advance(1);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 1);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 0);
    assert_eq!(names(&w.claim(session)), ["i"]);
}

fn the_earliest_of_several_waits_counts(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let waits = vec![sleep_until(w.in_ms(900)), wait_for("paid"), sleep_until(w.in_ms(300))];
    w.done(&mut held, suspend(waits));
    w.advance(300);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 1);
}

fn timers_wake_in_order_and_a_few_at_a_time(w: &mut World) {
    let session = w.open(1);
    for (name, millis) in [("c", 300), ("a", 100), ("d", 400), ("b", 200)] {
        nap(w, name, session, millis);
    }
    w.count(Command::CloseSession { session });
    w.advance(1_000);
    let other = w.open(2);
    assert_eq!(w.count(Command::WakeDue { limit: 3 }), 3);
    assert_eq!(names(&w.claim(other)), ["a", "b", "c"]);
    assert_eq!(w.count(Command::WakeDue { limit: 3 }), 1);
    assert_eq!(names(&w.claim(other)), ["d"]);
}

fn a_wake_says_when_the_next_timer_is_due(w: &mut World) {
    let session = w.open(1);
    nap(w, "a", session, 100);
    nap(w, "b", session, 200);
    let next = w.in_ms(200);
    w.advance(100);
    assert_eq!(w.apply(Command::WakeDue { limit: 10 }), Reply::Count { done: 1, next_due: Some(next) });
    w.advance(100);
    assert_eq!(w.apply(Command::WakeDue { limit: 10 }), Reply::Count { done: 1, next_due: None });
}

fn a_woken_instance_is_for_the_session_that_has_it_in_memory(w: &mut World) {
    let (session, other) = (w.open(1), w.open(2));
    nap(w, "i", session, 100);
    w.advance(100);
    w.count(Command::WakeDue { limit: 10 });
    assert!(matches!(w.head("i").place, Place::Inbox { session: of, .. } if of == session));
    assert!(w.claim(other).is_empty());
    assert_eq!(names(&w.claim(session)), ["i"]);
}

fn an_inbox_nobody_empties_goes_to_anyone_after_a_while(w: &mut World) {
    let (session, other) = (w.open(1), w.open(2));
    for name in ["a", "b"] {
        nap(w, name, session, 100);
    }
    w.advance(100);
    w.count(Command::WakeDue { limit: 10 });
    let unstick = Command::Unstick { older_than: Duration::from_millis(250), limit: 1 };
    w.advance(249);
    assert_eq!(w.count(unstick.clone()), 0);
    w.advance(1);
    assert_eq!(w.count(unstick.clone()), 1);
    assert_eq!(names(&w.claim(other)), ["a"]);
    assert_eq!(w.count(unstick.clone()), 1);
    assert_eq!(w.count(unstick), 0);
    assert_eq!(names(&w.claim(other)), ["b"]);
}

fn a_suspend_with_a_timer_that_is_due_goes_on(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let due = sleep_until(w.in_ms(100));
    w.advance(100);
    assert!(matches!(w.own(&mut held, suspend(vec![due])), OwnReply::Continue(granted) if granted.now == w.now()));
    assert_eq!(w.state("i"), State::Running);
}

fn a_wait_without_time_is_not_woken_by_the_clock(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    w.advance(10 * 365 * 24 * 3_600_000);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 0);
    assert_eq!(w.state("i"), State::Waiting);
}
