//! B10, B11, B14, B15, B16: who runs what, and what happens when they die.

use support::prelude::*;

on_every_store!(
    b10_a_worker_that_creates_nothing_runs_what_a_client_creates,
    b11_a_namespace_is_kept_by_handles_and_apart_from_others,
    b14_a_workflow_nobody_here_knows_is_left_for_who_does,
    b15_two_crashes_lose_nothing,
    b16_a_crash_is_recovered_from_within_seconds,
);

#[workflow]
async fn small_work(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("work", witness.ok("work", 3)).await?)
}

/// The model's worker mode never started a worker.
async fn b10_a_worker_that_creates_nothing_runs_what_a_client_creates(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).only::<small_work>().start().await?;
    let instance = small_work::create(&client).await?;
    assert_eq!(instance.status().await?.state, State::Queued);
    let worker = stage.builder().mode(Mode::Worker).only::<small_work>().start().await?;
    assert_eq!(instance.result().await?, 3);
    stage.stop(worker).await;
    Ok(())
}

/// In the model the handle that `create` gave had forgotten the prefix.
async fn b11_a_namespace_is_kept_by_handles_and_apart_from_others(stage: Stage) -> TestResult {
    let tenant = stage.builder_in("tenant-a").await.only::<small_work>().start().await?;
    let other = stage.builder_in("tenant-b").await.only::<small_work>().start().await?;
    let instance = small_work::create(&tenant).id("shared-id").await?;
    assert_eq!(instance.result().await?, 3);
    assert_eq!(instance.status().await?.state, State::Complete);
    assert!(small_work::get(&other, "shared-id").await.is_err(), "a namespace sees only its own");
    assert_eq!(small_work::create(&other).id("shared-id").await?.result().await?, 3);
    assert_eq!(stage.witness.count("work"), 2);
    Ok(())
}

#[workflow]
async fn known_later() -> u64 {
    14
}

/// The model failed its job once and left it `queued` for ever.
async fn b14_a_workflow_nobody_here_knows_is_left_for_who_does(stage: Stage) -> TestResult {
    let old = stage.builder().only::<small_work>().start().await?;
    let client = stage.builder().mode(Mode::Client).only::<known_later>().start().await?;
    let instance = known_later::create(&client).await?;
    // It stood first in the queue, so the worker has met it once it has run what came after.
    small_work::create(&old).await?.result().await?;
    assert_eq!(instance.status().await?.state, State::Queued);
    let new = stage.builder().only::<known_later>().start().await?;
    assert_eq!(instance.result().await?, 14);
    stage.stop(old).await;
    stage.stop(new).await;
    Ok(())
}

#[workflow]
async fn survives(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("before", witness.ok("before", ())).await?;
    step!("hard", witness.held("hard", ())).await?;
    Ok(step!("after", witness.ok("after", 15)).await?)
}

/// In the model the second crash lost the instance, `running` for ever.
async fn b15_two_crashes_lose_nothing(stage: Stage) -> TestResult {
    let builder = || stage.builder().lease(stage::SHORT_LEASE).only::<survives>();
    for crashes in 0..2 {
        let crashing = stage.crashable(builder()).await;
        if crashes == 0 {
            survives::create(&crashing).id("tough").await?;
        }
        stage.witness.ran("hard", crashes + 1).await;
        crashing.crash();
    }
    stage.witness.open("hard");
    let engine = builder().start().await?;
    assert_eq!(survives::get(&engine, "tough").await?.result().await?, 15);
    assert_eq!(stage.witness.notes(), ["before", "hard", "hard", "hard", "after"]);
    Ok(())
}

/// The model needed 69 s.
async fn b16_a_crash_is_recovered_from_within_seconds(stage: Stage) -> TestResult {
    let builder = || stage.builder().lease(stage::SHORT_LEASE).only::<survives>();
    let crashing = stage.crashable(builder()).await;
    survives::create(&crashing).id("tough").await?;
    stage.witness.ran("hard", 1).await;
    let engine = builder().start().await?;
    let crashed = Instant::now();
    crashing.crash();
    stage.witness.open("hard");
    assert_eq!(survives::get(&engine, "tough").await?.result().await?, 15);
    assert!(crashed.elapsed() < Duration::from_secs(15), "recovered after {:?}", crashed.elapsed());
    assert_eq!(stage.witness.notes(), ["before", "hard", "hard", "after"]);
    Ok(())
}
