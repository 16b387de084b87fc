//! Runs compared with their replays when they end: before the end is written, and only where that is asked for.

use std::sync::atomic::Ordering;

use super::stage::{COUNTS, Engine, FLIPS, LONG_LEASE, SHORT_LEASE, Stage, eventually};
use crate::engine::{Mode, VerifyReplay};
use crate::journal::command::{Action, PauseReason};
use crate::journal::divergence::Divergence;
use crate::journal::head::{Head, Place, State};

async fn engine(stage: &Stage, verify: VerifyReplay) -> Engine {
    let engine = stage.engine_verifying(verify, Mode::All, LONG_LEASE, vec![&FLIPS, &COUNTS]).await;
    engine.ready().await;
    engine
}

fn differences(engine: &Engine) -> u64 {
    engine.core.health().worker.expect("a worker").replay_differences
}

fn passes(stage: &Stage) -> u32 {
    stage.memory.passes.load(Ordering::SeqCst)
}

fn divergence(head: &Head) -> &Divergence {
    match &head.place {
        Place::Paused { reason: PauseReason::Divergence(divergence), .. } => divergence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_run_that_differs_is_parked_instead_of_ended_and_ends_once_its_code_is_corrected() {
    let stage = Stage::new();
    let engine = engine(&stage, VerifyReplay::Always).await;
    engine.create("flips", "a").await;
    stage.body().await.end(7);
    let head = stage.until_state("a", State::Paused).await;
    let traces = divergence(&head).traces.as_ref().expect("both traces are shown");
    assert!(traces.run[0].starts_with("> 1. step \"a\" complete"), "{traces}");
    assert!(traces.replay[0].starts_with("> 1. step \"b\" not ended"), "{traces}");
    assert_eq!((head.records, differences(&engine), engine.journals_read()), (1, 1, 0), "the result is kept");

    // It stays where it is, and a resume compares it anew.
    engine.control("a", Action::Resume).await;
    eventually("it is compared again", || differences(&engine) == 2).await;
    stage.until_state("a", State::Paused).await;
    stage.memory.corrected.store(true, Ordering::SeqCst);
    engine.control("a", Action::Resume).await;
    assert_eq!(stage.output("a").await, 7);
    stage.no_body().await;
    assert_eq!((passes(&stage), differences(&engine)), (6, 2), "two for each of three ends");
}

#[tokio::test]
async fn a_run_is_compared_only_where_that_is_asked_for() {
    for (verify, passes_of) in [
        (VerifyReplay::Never, 1),
        (VerifyReplay::Sampled(0.0), 1),
        (VerifyReplay::Sampled(1.0), 2),
        (VerifyReplay::Always, 2),
    ] {
        let stage = Stage::new();
        let engine = engine(&stage, verify).await;
        engine.create("flips", "a").await;
        stage.body().await.end(7);
        if passes_of == 1 {
            assert_eq!(stage.output("a").await, 7);
        } else {
            stage.until_state("a", State::Paused).await;
        }
        eventually("its slot is free", || engine.driving() == 0).await;
        assert_eq!(passes(&stage), passes_of, "{verify:?}");
    }
}

/// A run whose first step another worker has taken, and which this one ends.
async fn taken_over(stage: &Stage) -> Engine {
    let first = stage.engine_verifying(VerifyReplay::Always, Mode::All, SHORT_LEASE, vec![&COUNTS]).await;
    first.ready().await;
    first.create("counts", "a").await;
    stage.body().await.end(1);
    let cut_off = stage.body().await;
    first.crash();
    cut_off.dropped().await;
    let second = stage.engine_verifying(VerifyReplay::Always, Mode::All, SHORT_LEASE, vec![&COUNTS]).await;
    stage.body().await.end(2);
    second
}

#[tokio::test]
async fn a_run_that_another_worker_began_is_compared_as_a_whole() {
    let stage = Stage::new();
    let engine = taken_over(&stage).await;
    let head = stage.until_state("a", State::Paused).await;
    assert!(divergence(&head).message.contains("an output of 1 bytes, another one"), "{head:?}");
    assert_eq!((head.records, differences(&engine)), (2, 1));
    let traces = divergence(&head).traces.as_ref().expect("both traces are shown");
    assert_eq!(traces.run.len(), 3, "what the first worker ran is in it: {traces}");

    let stage = Stage::new();
    stage.memory.corrected.store(true, Ordering::SeqCst);
    let engine = taken_over(&stage).await;
    assert_eq!((stage.output("a").await, differences(&engine)), (3, 0));
    assert_eq!(passes(&stage), 3, "two workers and the replay");
}

#[tokio::test]
async fn a_run_that_was_ended_from_outside_is_not_compared() {
    let stage = Stage::new();
    let engine = engine(&stage, VerifyReplay::Always).await;
    engine.create("flips", "a").await;
    let body = stage.body().await;
    engine.control("a", Action::Terminate { reason: "enough".to_owned() }).await;
    body.dropped().await;
    eventually("its slot is free", || engine.driving() == 0).await;
    assert_eq!((stage.head("a").expect("kept").state(), passes(&stage)), (State::Terminated, 1));
}
