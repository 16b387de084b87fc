//! Claims: who is given what, in which order, and what a repeat gives.

use std::sync::Arc;

use workflow::journal::command::{Claim, ClaimReply, Command};
use workflow::journal::head::State;
use workflow::words::id::SessionId;

use crate::world::{World, id, names, queue, suspend, wait_for, workflow_name};

on_every_store!(
    ready_work_is_given_once_and_in_order_of_age,
    priority_comes_before_age_but_starves_nobody,
    what_was_woken_comes_before_new_work,
    a_claim_gives_no_more_than_its_limit,
    a_claim_serves_its_queues_only,
    one_score_orders_all_queues_of_a_claim,
    a_version_the_worker_does_not_know_is_shelved_for_one_who_does,
    shelved_work_can_be_paused_and_terminated,
    an_unknown_or_lost_session_is_given_nothing,
    a_repeated_claim_gives_the_same_and_nothing_more,
    a_repeated_claim_gives_the_same_whatever_its_number,
    a_repeated_claim_does_not_give_what_was_taken_away_since,
    the_notices_of_a_claim_are_given_again_when_it_is_repeated,
    a_late_copy_of_an_older_claim_gives_nothing,
    what_a_late_copy_was_given_is_given_again,
    a_claim_says_when_the_next_timer_is_due,
);

fn ready_work_is_given_once_and_in_order_of_age(w: &mut World) {
    let session = w.open(1);
    for name in ["c", "a", "b"] {
        w.make(name);
        w.advance(1);
    }
    assert_eq!(names(&w.claim(session)), ["c", "a", "b"]);
    assert!(w.claim(session).is_empty());
    assert_eq!(w.state("a"), State::Running);
}

fn priority_comes_before_age_but_starves_nobody(w: &mut World) {
    let session = w.open(1);
    w.make_with("last", |spec| spec.priority = 2);
    w.advance(100);
    w.make_with("first", |spec| spec.priority = 0);
    w.advance(60_000);
    w.make("late");
    assert_eq!(names(&w.claim(session)), ["first", "last", "late"]);
}

fn what_was_woken_comes_before_new_work(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("old", session);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    w.make("new");
    w.advance(60_000);
    w.crash(session);
    w.send("old", "paid", "e");
    assert_eq!(names(&w.claim(w.open(2))), ["old", "new"]);
}

fn a_claim_gives_no_more_than_its_limit(w: &mut World) {
    let session = w.open(1);
    for name in ["a", "b", "c"] {
        w.make(name);
    }
    let two = w.claim_with(&Claim { limit: 2, ..w.new_claim(session) }).0;
    assert_eq!(names(&two), ["a", "b"]);
    assert!(w.claim_with(&Claim { limit: 0, ..w.new_claim(session) }).0.is_empty());
    assert_eq!(names(&w.claim(session)), ["c"]);
}

fn a_claim_serves_its_queues_only(w: &mut World) {
    let session = w.open(1);
    w.make_with("elsewhere", |spec| spec.queue = queue("other"));
    w.make("here");
    assert_eq!(names(&w.claim(session)), ["here"]);
    let other = Claim { queues: Arc::new([queue("other")]), ..w.new_claim(session) };
    assert_eq!(names(&w.claim_with(&other).0), ["elsewhere"]);
}

fn one_score_orders_all_queues_of_a_claim(w: &mut World) {
    let session = w.open(1);
    for (name, of) in [("a", "x"), ("b", "y"), ("c", "x")] {
        w.make_with(name, |spec| spec.queue = queue(of));
        w.advance(1);
    }
    let both = Claim { queues: Arc::new([queue("y"), queue("x")]), ..w.new_claim(session) };
    assert_eq!(names(&w.claim_with(&both).0), ["a", "b", "c"]);
}

fn a_version_the_worker_does_not_know_is_shelved_for_one_who_does(w: &mut World) {
    let (old, new) = (w.open(1), w.open(2));
    w.make_with("i", |spec| spec.version = 2);
    assert!(w.claim(old).is_empty());
    assert_eq!(w.state("i"), State::Queued);
    let knows =
        Claim { known: Arc::new([(workflow_name("order"), 1), (workflow_name("order"), 2)]), ..w.new_claim(new) };
    let elsewhere = Claim { queues: Arc::new([queue("other")]), ..knows.clone() };
    assert!(w.claim_with(&elsewhere).0.is_empty(), "not of its queues");
    assert_eq!(names(&w.claim_with(&knows).0), ["i"]);
}

fn shelved_work_can_be_paused_and_terminated(w: &mut World) {
    let session = w.open(1);
    for name in ["a", "b"] {
        w.make_with(name, |spec| spec.version = 2);
    }
    assert!(w.claim(session).is_empty());
    w.control("a", workflow::journal::command::Action::Pause);
    w.terminate("b");
    assert_eq!((w.state("a"), w.state("b")), (State::Paused, State::Terminated));
    let knows = Claim { known: Arc::new([(workflow_name("order"), 2)]), ..w.new_claim(session) };
    assert!(w.claim_with(&knows).0.is_empty());
}

fn an_unknown_or_lost_session_is_given_nothing(w: &mut World) {
    w.make("i");
    assert_eq!(w.claim_as(&w.new_claim(SessionId(9))), ClaimReply::Fenced);
    let session = w.open(1);
    w.lose(session);
    assert_eq!(w.claim_as(&w.new_claim(session)), ClaimReply::Fenced);
    assert_eq!(w.state("i"), State::Queued);
}

fn a_repeated_claim_gives_the_same_and_nothing_more(w: &mut World) {
    let session = w.open(1);
    w.make("a");
    w.make("b");
    let claim = w.new_claim(session);
    let first = w.claim_with(&claim).0;
    w.make("c");
    w.send("a", "paid", "e");
    let again = w.claim_with(&claim).0;
    assert_eq!(names(&again), names(&first));
    assert_eq!(
        again.iter().map(|held| held.v).collect::<Vec<_>>(),
        first.iter().map(|held| held.v).collect::<Vec<_>>()
    );
    assert_eq!(again[0].event_ids(), ["e"], "with what came since");
    assert_eq!(names(&w.claim(session)), ["c"]);
}

fn a_repeated_claim_gives_the_same_whatever_its_number(w: &mut World) {
    let session = w.open(1);
    w.make("a");
    let claim = Claim { number: 0, ..w.new_claim(session) };
    assert_eq!(names(&w.claim_with(&claim).0), ["a"]);
    assert_eq!(names(&w.claim_with(&claim).0), ["a"]);
}

fn a_repeated_claim_does_not_give_what_was_taken_away_since(w: &mut World) {
    let session = w.open(1);
    for name in ["a", "b", "c"] {
        w.make(name);
    }
    let claim = w.new_claim(session);
    assert_eq!(w.claim_with(&claim).0.len(), 3);
    w.terminate("a");
    w.control("b", workflow::journal::command::Action::Restart);
    let (given, notices) = w.claim_with(&claim);
    assert_eq!(names(&given), ["c"]);
    assert_eq!(notices, [id("a"), id("b")], "the answer is not empty even if all of it is gone");
}

fn the_notices_of_a_claim_are_given_again_when_it_is_repeated(w: &mut World) {
    let session = w.open(1);
    let _held = w.hold("a", session);
    let _also = w.hold("b", session);
    w.send("a", "paid", "e");
    let claim = Claim { limit: 0, ..w.new_claim(session) };
    assert_eq!(w.claim_with(&claim).1, [id("a")]);
    w.send("b", "paid", "e");
    assert_eq!(w.claim_with(&claim).1, [id("a")], "nobody may be there to hear more");
    assert_eq!(w.notices(session), [id("b")]);
    assert!(w.notices(session).is_empty(), "each is given once to those that do not repeat");
}

fn a_late_copy_of_an_older_claim_gives_nothing(w: &mut World) {
    let session = w.open(1);
    let older = w.new_claim(session);
    assert!(w.claim_with(&older).0.is_empty());
    w.hold("a", session);
    w.make("b");
    w.send("a", "paid", "e");
    assert_eq!(w.claim_with(&older).0.len(), 0);
    assert_eq!(w.claim_with(&older).1, [], "nobody would hear the notices");
    let (given, notices) = w.claim_with(&w.new_claim(session));
    assert_eq!((names(&given), notices), (vec!["b"], vec![id("a")]));
}

fn what_a_late_copy_was_given_is_given_again(w: &mut World) {
    let session = w.open(1);
    let _held = w.hold("a", session);
    let claim = w.new_claim(session);
    assert!(w.claim_with(&claim).0.is_empty(), "it gave nothing, so the next one has its number");
    w.make("b");
    w.send("a", "paid", "e");
    w.claim_as(&claim);
    w.make("c");
    let (given, notices) = w.claim_with(&claim);
    assert_eq!((names(&given), notices), (vec!["b"], vec![id("a")]));
    assert_eq!(names(&w.claim(session)), ["c"]);
}

fn a_claim_says_when_the_next_timer_is_due(w: &mut World) {
    let session = w.open(1);
    let due = w.in_ms(5_000);
    w.make_with("late", |spec| spec.start_at = Some(due));
    w.make_with("later", |spec| spec.start_at = Some(due.shifted(1)));
    let next = |w: &World| match w.claim_as(&w.new_claim(session)) {
        ClaimReply::Given { next_due, now, .. } => {
            assert_eq!(now, w.now());
            next_due
        }
        ClaimReply::Fenced => panic!("fenced"),
    };
    assert_eq!(next(w), Some(due));
    w.advance(6_000);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 2);
    assert_eq!(next(w), None);
    // One that waits for a message alone has no time.
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    assert_eq!(next(w), None);
}
