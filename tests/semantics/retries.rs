//! Retries: counted in the journal, bounded, spaced, and holding nothing while they wait.

use support::prelude::*;

on_every_store!(
    attempts_are_counted_on_across_a_restart_of_the_worker,
    a_long_delay_holds_no_slot,
    a_step_that_takes_too_long_is_dropped_and_tried_again,
    exhausted_retries_give_the_last_error_and_the_number_of_attempts,
    the_idempotency_key_is_the_same_in_every_attempt_and_of_no_other_step,
);

#[workflow]
async fn patient(#[resource] witness: &Witness) -> workflow::Result<u32> {
    let attempt = step!("work", retries = 1, delay = 2s, |cx| async move {
        witness.note(&format!("attempt {}", cx.attempt()));
        if cx.attempt() == 1 { Err(Oops { step: "work".to_owned(), execution: 1 }) } else { Ok(cx.attempt()) }
    })
    .await?;
    Ok(attempt)
}

/// A server that was compared began again at the first attempt, for ever.
async fn attempts_are_counted_on_across_a_restart_of_the_worker(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<patient>().start().await?;
    let instance = patient::create(&engine).id("patient").await?;
    wait::state(&instance, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<patient>().start().await?;
    assert_eq!(patient::get(&engine, "patient").await?.result().await?, 2);
    assert_eq!(stage.witness.notes(), ["attempt 1", "attempt 2"]);
    let gap = stage.witness.times("attempt 2")[0] - stage.witness.times("attempt 1")[0];
    assert!(gap >= Duration::from_secs(2), "tried again after {gap:?}");
    Ok(())
}

#[workflow]
async fn quick_one() -> u64 {
    1
}

async fn a_long_delay_holds_no_slot(stage: Stage) -> TestResult {
    let engine = stage.builder().concurrency(1).only::<(patient, quick_one)>().start().await?;
    let instance = patient::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    assert_eq!(quick_one::create(&engine).await?.result().await?, 1);
    assert_eq!(stage.witness.notes(), ["attempt 1"], "the only slot was free during the delay");
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn slow_once(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let number = step!("slow", retries = 1, delay = 10ms, timeout = 200ms, |cx| async move {
        if cx.attempt() == 1 {
            witness.held_until_dropped("slow").await?;
        }
        witness.ok("quick", 5).await
    })
    .await?;
    Ok(number)
}

async fn a_step_that_takes_too_long_is_dropped_and_tried_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<slow_once>().start().await?;
    assert_eq!(slow_once::create(&engine).await?.result().await?, 5);
    assert_eq!(stage.witness.notes(), ["slow", "slow dropped", "quick"]);
    Ok(())
}

#[workflow]
async fn exhausted(#[resource] witness: &Witness) -> workflow::Result<(String, u32, FailureKind, FailureKind)> {
    let failed = step!("fails", retries = 2, delay = 10ms, witness.fails("fails")).await.expect_err("it fails");
    let slow = step!("slow", timeout = 50ms, witness.held_until_dropped("slow")).await.expect_err("it is slow");
    Ok((failed.message().to_owned(), failed.attempts(), failed.kind(), slow.kind()))
}

async fn exhausted_retries_give_the_last_error_and_the_number_of_attempts(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<exhausted>().start().await?;
    let (message, attempts, failed, slow) = exhausted::create(&engine).await?.result().await?;
    assert_eq!(message, "fails failed at execution 3");
    assert_eq!((attempts, failed, slow), (3, FailureKind::Failed, FailureKind::TimedOut));
    Ok(())
}

#[workflow]
async fn keys(#[resource] witness: &Witness) -> workflow::Result<()> {
    for item in [1, 2] {
        step!("charge", key = item, retries = 1, delay = 10ms, |cx| async move {
            witness.note(&cx.idempotency_key());
            witness.flaky(&format!("item {item}"), 1, ()).await
        })
        .await?;
    }
    Ok(())
}

async fn the_idempotency_key_is_the_same_in_every_attempt_and_of_no_other_step(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<keys>().start().await?;
    keys::create(&engine).await?.result().await?;
    let notes: Vec<String> = stage.witness.notes().into_iter().filter(|note| !note.starts_with("item")).collect();
    assert_eq!(notes.len(), 4);
    assert_eq!((&notes[0], &notes[2]), (&notes[1], &notes[3]));
    assert_ne!(notes[0], notes[2]);
    Ok(())
}
