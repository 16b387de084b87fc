//! Operators while bodies run: pause, resume, terminate, restart.

use super::stage::{Stage, eventually};
use crate::journal::command::{Action, ControlReply, PauseReason};
use crate::journal::head::{Place, State};

#[tokio::test]
async fn a_pause_takes_effect_when_the_body_has_ended_and_a_resume_goes_on() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    let body = stage.body().await;
    assert_eq!(engine.control("a", Action::Pause).await, ControlReply::Done(State::Running));
    // The owner looked: it knows of the pause before its body ends.
    stage.until("a", "was looked at", |head| matches!(head.place, Place::Held { notice: false, .. })).await;
    assert!(!body.is_dropped());
    body.end(1);
    let head = stage.until_state("a", State::Paused).await;
    assert!(matches!(head.place, Place::Paused { reason: PauseReason::Operator, .. }), "{head:?}");
    assert_eq!(head.records, 1, "the result of the body is kept");
    stage.no_body().await;
    assert_eq!(engine.control("a", Action::Resume).await, ControlReply::Done(State::Queued));
    let second = stage.body().await;
    assert_eq!(second.step, "b");
    second.end(2);
    assert_eq!(stage.output("a").await, 3);
}

#[tokio::test]
async fn a_pause_that_is_taken_back_in_time_is_none() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    let body = stage.body().await;
    engine.control("a", Action::Pause).await;
    stage.until("a", "was looked at", |head| matches!(head.place, Place::Held { notice: false, .. })).await;
    assert_eq!(engine.control("a", Action::Resume).await, ControlReply::Done(State::Running));
    body.end(1);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
}

#[tokio::test]
async fn a_terminate_drops_the_body_at_once() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    let body = stage.body().await;
    let action = Action::Terminate { reason: "enough".to_owned() };
    assert_eq!(engine.control("a", action).await, ControlReply::Done(State::Terminated));
    body.dropped().await;
    eventually("the slot is free", || engine.driving() == 0).await;
    stage.no_body().await;
    assert_eq!(stage.head("a").expect("kept").state(), State::Terminated);
}

#[tokio::test]
async fn a_restart_drops_the_old_runs_body_and_begins_anew() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    stage.body().await.end(1);
    let old = stage.body().await;
    assert_eq!(old.step, "b");
    assert_eq!(engine.control("a", Action::Restart).await, ControlReply::Done(State::Queued));
    let new = stage.body().await;
    assert_eq!(new.step, "a", "from the beginning");
    old.dropped().await;
    new.end(10);
    stage.body().await.end(20);
    assert_eq!(stage.output("a").await, 30);
    let head = stage.head("a").expect("kept");
    assert_eq!((head.run, head.records), (2, 2));
}
