//! Pause, resume, terminate, restart, by operators.

use workflow::journal::command::{Action, Control, ControlReply, OwnReply, PauseReason, Then, Write};
use workflow::journal::head::{End, Place, State};

use crate::world::{World, finish, id, names, record, sleep_until, suspend, suspend_paused, wait_for, write};

on_every_store!(
    a_paused_instance_is_given_to_nobody_until_it_is_resumed,
    a_running_instance_pauses_when_its_owner_suspends,
    a_running_instance_pauses_when_its_owner_gives_it_back,
    the_time_paused_reaches_the_next_owner_until_it_is_recorded,
    a_pause_of_a_start_time_does_not_move_it,
    terminate_ends_it_wherever_it_is,
    a_restart_begins_the_next_run_from_the_beginning_and_keeps_the_old_journal,
    a_restart_takes_the_instance_from_its_owner,
    a_control_for_another_run_or_nobody_is_unknown,
    what_makes_no_sense_is_refused_with_the_state,
    a_repeated_control_is_answered_as_the_first,
    the_owner_of_a_terminated_instance_is_given_notice,
);

fn a_paused_instance_is_given_to_nobody_until_it_is_resumed(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    assert_eq!(w.control("i", Action::Pause), ControlReply::Done(State::Paused));
    assert!(w.claim(session).is_empty());
    assert_eq!(w.control("i", Action::Pause), ControlReply::Done(State::Paused));
    assert_eq!(w.control("i", Action::Resume), ControlReply::Done(State::Queued));
    assert_eq!(names(&w.claim(session)), ["i"]);
}

fn a_running_instance_pauses_when_its_owner_suspends(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    assert_eq!(w.control("i", Action::Pause), ControlReply::Done(State::Running));
    assert_eq!(w.notices(session), [id("i")]);
    w.done(&mut held, record("body"));
    assert!(held.pause, "the answer says so");
    let waits = vec![sleep_until(w.in_ms(100))];
    w.done(&mut held, suspend_paused(waits.clone()));
    let paused = Place::Paused { reason: PauseReason::Operator, since: w.now(), waits };
    assert_eq!(w.head("i").place, paused);
    w.advance(100_000);
    w.count(workflow::journal::command::Command::WakeDue { limit: 10 });
    assert_eq!(w.state("i"), State::Paused, "no timer wakes it");
}

fn a_running_instance_pauses_when_its_owner_gives_it_back(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    assert_eq!(w.control("i", Action::Pause), ControlReply::Done(State::Running));
    w.done(&mut held, write(Then::Release));
    let Place::Paused { reason: PauseReason::Operator, .. } = w.head("i").place else { panic!("{:?}", w.head("i")) };
    assert!(w.claim(session).is_empty());
}

fn the_time_paused_reaches_the_next_owner_until_it_is_recorded(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![sleep_until(w.in_ms(1_000))]));
    w.control("i", Action::Pause);
    w.advance(5_000);
    w.control("i", Action::Resume);
    let mut held = w.claim_one(session);
    assert_eq!(held.shift_ms, 5_000);
    w.control("i", Action::Pause);
    w.done(&mut held, suspend_paused(Vec::new()));
    w.advance(70);
    w.control("i", Action::Resume);
    let mut held = w.claim_one(session);
    assert_eq!(held.shift_ms, 5_070);
    w.done(&mut held, Write { shifted_ms: 5_070, ..record("shifted") });
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    w.send("i", "paid", "e");
    assert_eq!(w.claim_one(session).shift_ms, 0);
}

fn a_pause_of_a_start_time_does_not_move_it(w: &mut World) {
    let session = w.open(1);
    let due = w.in_ms(1_000);
    w.make_with("i", |spec| spec.start_at = Some(due));
    w.control("i", Action::Pause);
    w.advance(500);
    w.control("i", Action::Resume);
    assert_eq!(w.head("i").due(), Some(due));
    w.advance(500);
    w.count(workflow::journal::command::Command::WakeDue { limit: 10 });
    assert_eq!(w.claim_one(session).shift_ms, 0);
}

fn terminate_ends_it_wherever_it_is(w: &mut World) {
    let session = w.open(1);
    let mut asleep = w.hold("asleep", session);
    w.done(&mut asleep, suspend(vec![wait_for("paid")]));
    let mut held = w.hold("held", session);
    let mut inbox = w.hold("inbox", session);
    w.done(&mut inbox, suspend(vec![wait_for("paid")]));
    w.send("inbox", "paid", "e");
    w.make("paused");
    w.control("paused", Action::Pause);
    w.make("ready");
    for name in ["asleep", "held", "inbox", "paused", "ready"] {
        assert_eq!(w.terminate(name), ControlReply::Done(State::Terminated), "{name}");
        let end = End::Terminated { reason: "no".to_owned() };
        let ended = Place::Done { end, at: w.now(), expires_at: w.in_ms(120_000) };
        assert_eq!(w.head(name).place, ended, "{name}");
    }
    assert!(w.claim(session).is_empty());
    assert_eq!(w.own(&mut held, finish("1")), OwnReply::Stale);
}

fn a_restart_begins_the_next_run_from_the_beginning_and_keeps_the_old_journal(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.send("i", "paid", "e");
    w.done(&mut held, record("one"));
    w.done(&mut held, finish("1"));
    w.advance(10);
    assert_eq!(w.control("i", Action::Restart), ControlReply::Done(State::Queued));
    let found = w.inspect("i").expect("it exists");
    assert_eq!((found.runs, found.head.run, found.head.started_at), (vec![1, 2], 2, w.now()));
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
    assert_eq!(w.journal("i", 2), Some(Vec::new()));
    let mut again = w.claim_one(session);
    assert_eq!((again.run, again.records, again.messages.len()), (2, 0, 0));
    assert!(again.v > held.v, "the version never goes back");
    w.done(&mut again, record("two"));
    assert_eq!(w.journal("i", 2), Some(vec!["two".to_owned()]));
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
}

fn a_restart_takes_the_instance_from_its_owner(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.control("i", Action::Restart);
    assert_eq!(w.own(&mut held, record("old run")), OwnReply::Stale);
    let mut again = w.claim_one(session);
    assert_eq!(w.own(&mut held, record("old run")), OwnReply::Stale);
    w.done(&mut again, record("new run"));
    assert_eq!(w.journal("i", 2), Some(vec!["new run".to_owned()]));
}

fn a_control_for_another_run_or_nobody_is_unknown(w: &mut World) {
    assert_eq!(w.control("i", Action::Pause), ControlReply::Unknown);
    w.make("i");
    let other = Control { request: w.request(), id: id("i"), run: Some(2), action: Action::Pause };
    assert_eq!(w.control_as(&other), ControlReply::Unknown);
    assert_eq!(w.state("i"), State::Queued);
}

fn what_makes_no_sense_is_refused_with_the_state(w: &mut World) {
    w.make("i");
    assert_eq!(w.control("i", Action::Resume), ControlReply::Refused(State::Queued));
    w.make_with("delayed", |spec| spec.start_at = Some(w.in_ms(1_000)));
    assert_eq!(w.control("delayed", Action::Resume), ControlReply::Refused(State::Queued));
    let session = w.open(1);
    let mut held = w.claim_one(session);
    assert_eq!(w.control("i", Action::Resume), ControlReply::Refused(State::Running));
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    assert_eq!(w.control("i", Action::Resume), ControlReply::Refused(State::Waiting));
    w.terminate("i");
    assert_eq!(w.control("i", Action::Pause), ControlReply::Refused(State::Terminated));
    assert_eq!(w.terminate("i"), ControlReply::Refused(State::Terminated));
}

fn a_repeated_control_is_answered_as_the_first(w: &mut World) {
    w.make("i");
    let pause = Control { request: w.request(), id: id("i"), run: None, action: Action::Pause };
    w.control_as(&pause);
    w.control("i", Action::Resume);
    assert_eq!(w.control_as(&pause), ControlReply::Done(State::Paused));
    assert_eq!(w.state("i"), State::Queued, "and done once");
    let restart = Control { request: w.request(), action: Action::Restart, ..pause };
    w.control_as(&restart);
    assert_eq!(w.control_as(&restart), ControlReply::Done(State::Queued));
    assert_eq!(w.head("i").run, 2);
}

fn the_owner_of_a_terminated_instance_is_given_notice(w: &mut World) {
    let session = w.open(1);
    let _one = w.hold("one", session);
    let _two = w.hold("two", session);
    w.terminate("two");
    w.control("one", Action::Restart);
    assert_eq!(w.notices(session), [id("one"), id("two")]);
    assert!(w.notices(session).is_empty());
}
