//! Pausing, resuming, terminating and restarting.

use super::{Bench, Order};
use crate::client::error::EngineError;
use crate::client::handle::get;
use crate::client::result::ResultError;
use crate::journal::command::{Ending, PauseReason};
use crate::journal::head::State;
use crate::words::payload::Payload;

fn complete() -> Ending {
    Ending { result: Ok(Payload::from_bytes(*b"42")) }
}

#[tokio::test]
async fn a_queued_instance_can_be_paused_and_resumed() {
    let bench = Bench::new().await;
    let order = bench.order(1).id("o").await.expect("new");
    assert_eq!(order.pause().await.expect("queued"), State::Paused);
    let status = order.status().await.expect("exists");
    assert_eq!(status.state, State::Paused);
    assert_eq!(status.paused.map(|paused| paused.reason), Some(PauseReason::Operator));
    assert!(bench.claim().1.is_empty(), "a paused instance is given to no worker");
    assert_eq!(order.pause().await.expect("paused already"), State::Paused);
    assert_eq!(order.resume().await.expect("paused"), State::Queued);
    assert_eq!(bench.claim().1.len(), 1);
}

#[tokio::test]
async fn a_pause_of_a_running_instance_shows_as_pausing() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let (session, _) = bench.claim();
    assert_eq!(order.pause().await.expect("running"), State::Running);
    let status = order.status().await.expect("exists");
    assert!(status.pausing);
    assert_eq!((status.state, status.worker), (State::Running, Some(session.to_string())));
    order.resume().await.expect("a pause that has not taken effect is taken back");
    assert!(!order.status().await.expect("exists").pausing);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_state() {
    let bench = Bench::new().await;
    let order = bench.order(1).id("o").await.expect("new");
    refused(order.resume().await, "resumed", State::Queued);
    bench.finish(complete());
    refused(order.pause().await, "paused", State::Complete);
    refused(order.resume().await, "resumed", State::Complete);
    refused(order.terminate("late").await, "terminated", State::Complete);
}

fn refused(outcome: Result<State, EngineError>, wanted: &str, state: State) {
    let error = outcome.expect_err(wanted);
    assert!(
        matches!(&error, EngineError::Refused { action, state: found, .. } if *action == wanted && *found == state),
        "{error:?}"
    );
    assert!(error.to_string().contains(state.word()), "{error}");
}

#[tokio::test]
async fn a_terminated_instance_tells_why() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    assert_eq!(order.terminate("fraud").await.expect("queued"), State::Terminated);
    let status = order.status().await.expect("kept");
    assert_eq!(status.terminated.as_deref(), Some("fraud"));
    assert!(status.ended_at.is_some() && status.expires_at > status.ended_at);
    let error = order.result().await.expect_err("terminated");
    assert!(matches!(&error, ResultError::Terminated { reason } if reason == "fraud"), "{error:?}");
    let long = order.terminate("x".repeat(4_097)).await.expect_err("too long");
    assert_eq!(long.code(), "too_long");
}

#[tokio::test]
async fn a_restart_clears_the_outcome_and_keeps_the_old_run_readable() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    bench.finish(complete());
    assert_eq!(order.result().await.expect("complete"), 42);
    order.restart().await.expect("any state");
    let status = order.status().await.expect("exists");
    assert_eq!((status.state, status.run, status.output), (State::Queued, 2, None));
    assert_eq!(order.history().await.expect("the newest").run, 2);
    assert_eq!(order.history_of(1).await.expect("kept").run, 1);
    assert_eq!(order.history_of(3).await.expect_err("to come").code(), "no_such_run");
}

#[tokio::test]
async fn an_instance_that_is_gone_is_not_found() {
    let bench = Bench::new().await;
    assert_eq!(get::<Order>(&bench.engine, "none").await.expect_err("none").code(), "not_found");
    let order = bench.order(1).await.expect("new");
    let other = Bench::new().await;
    let stranger = crate::client::handle::Handle::<Order>::new(
        other.engine.clone(),
        crate::words::id::InstanceId::new(order.id()).expect("valid"),
    );
    assert_eq!(stranger.pause().await.expect_err("none").code(), "not_found");
    assert_eq!(stranger.status().await.expect_err("none").code(), "not_found");
    assert_eq!(stranger.send_type("t", 1).await.expect_err("none").code(), "not_found");
    assert!(matches!(stranger.result().await, Err(ResultError::Unknown { .. })));
    assert!(stranger.on_change().next().await.is_none());
}
