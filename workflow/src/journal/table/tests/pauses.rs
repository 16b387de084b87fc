//! Pausing, resuming and parking: nothing is lost, and time that was paused does not count.

use super::*;
use crate::journal::command::{ControlReply, OwnReply, PauseReason};
use crate::journal::head::State;
use crate::journal::table::control::control;
use crate::journal::table::own::own;

fn pause(head: &Head, now: Timestamp) -> Head {
    let asked = Control { request: RequestId(201), ..order(Action::Pause) };
    control(Some(head), &asked, now).head.expect("paused")
}

fn resume(head: &Head, now: Timestamp) -> Head {
    let asked = Control { request: RequestId(202), ..order(Action::Resume) };
    control(Some(head), &asked, now).head.expect("resumed")
}

fn suspend_as_paused() -> OwnerWrite {
    by_owner(write(Then::Suspend { waits: waits(), paused: true }))
}

#[test]
fn a_pause_of_a_running_instance_waits_for_its_owner_to_suspend() {
    let pausing = pause(&held(), NOW);
    assert_eq!((pausing.state(), pausing.pause, pausing.v), (State::Running, true, V));
    let paused = own(Some(&pausing), &suspend_as_paused(), true, NOW).head.expect("changed");
    assert!(matches!(paused.place, Place::Paused { reason: PauseReason::Operator, .. }));
    assert!(!paused.pause);
}

#[test]
fn the_answer_to_any_write_says_that_a_pause_is_asked_for() {
    let reply = own(Some(&pause(&held(), NOW)), &by_owner(write(Then::Hold)), true, NOW).reply;
    assert!(matches!(reply, OwnReply::Ok(granted) if granted.pause));
}

#[test]
fn a_suspend_for_a_pause_that_was_taken_back_goes_on() {
    let taken_back = resume(&pause(&held(), NOW), NOW);
    let transition = own(Some(&taken_back), &suspend_as_paused(), true, NOW);
    assert!(matches!(transition.reply, OwnReply::Continue(_)));
    assert!(transition.head.expect("changed").held_by(MINE));
}

#[test]
fn a_pause_takes_effect_before_unseen_messages_and_due_timers_are_looked_at() {
    let pausing = Head { pause: true, arrivals: 1, unread: 1, ..held() };
    let transition = own(Some(&pausing), &suspend_as_paused(), true, later(20_000));
    assert!(matches!(transition.reply, OwnReply::Ok(_)));
    assert_eq!(transition.head.expect("changed").state(), State::Paused);
}

#[test]
fn the_time_paused_is_handed_to_the_next_owner_and_counts_up_until_it_is_recorded() {
    let once = resume(&pause(&asleep(), NOW), later(700));
    assert_eq!(once.shift_ms, 700);
    let twice = Control { request: RequestId(203), ..order(Action::Pause) };
    let twice = control(Some(&once), &twice, later(1_000)).head.expect("paused");
    let resumed = Control { request: RequestId(204), ..order(Action::Resume) };
    let twice = control(Some(&twice), &resumed, later(1_200)).head.expect("resumed");
    assert_eq!(twice.shift_ms, 900);
}

#[test]
fn a_start_time_is_a_date_and_no_pause_moves_it() {
    let start = Wait { path: Path::root(), channel: None, due: Some(later(5_000)), shifts: false };
    let waiting = Head { begun: false, ..at(Place::Asleep { waits: vec![start], sticky: None }) };
    let resumed = resume(&pause(&waiting, NOW), later(1_000));
    assert_eq!((&resumed.place, resumed.shift_ms), (&waiting.place, 0));
    let late = resume(&pause(&waiting, NOW), later(6_000));
    assert!(matches!(late.place, Place::Ready { .. }));
}

#[test]
fn a_repeated_control_is_answered_as_the_first_though_others_came_between() {
    let first = Control { request: RequestId(1), ..order(Action::Pause) };
    let head = control(Some(&asleep()), &first, NOW).head.expect("paused");
    let head = resume(&head, NOW);
    let repeat = control(Some(&head), &first, NOW);
    assert_eq!((repeat.head, repeat.reply), (None, ControlReply::Done(State::Paused)));
}

#[test]
fn a_resume_of_what_is_not_paused_is_refused() {
    let reply = control(Some(&asleep()), &order(Action::Resume), NOW).reply;
    assert_eq!(reply, ControlReply::Refused(State::Waiting));
}

#[test]
fn a_parked_instance_can_be_resumed_and_is_tried_at_once() {
    let parked = by_owner(write(Then::Park(PauseReason::Panic { message: "p".to_owned() })));
    let head = own(Some(&held()), &parked, true, NOW).head.expect("parked");
    assert_eq!(head.state(), State::Paused);
    assert!(matches!(resume(&head, NOW).place, Place::Ready { .. }));
}

#[test]
fn a_release_with_a_pause_asked_for_pauses() {
    let head = own(Some(&pause(&held(), NOW)), &by_owner(write(Then::Release)), true, NOW).head.expect("changed");
    assert_eq!(head.state(), State::Paused);
}

#[test]
fn what_is_resumed_before_its_start_waits_for_it_and_from_that_moment_on_is_ready() {
    let start = Wait { path: Path::root(), channel: None, due: Some(NOW), shifts: false };
    let paused = Place::Paused { reason: PauseReason::Operator, since: ago(5_000), waits: vec![start] };
    let head = Head { begun: false, records: 0, ..at(paused) };
    let place = |now| resume(&head, now).place;
    assert!(matches!(place(ago(1)), Place::Asleep { .. }));
    assert!(matches!(place(NOW), Place::Ready { .. }));
}
