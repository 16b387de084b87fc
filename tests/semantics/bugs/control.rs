//! B5, B6, B23: control from outside.

use support::prelude::*;

on_every_store!(
    b05_a_terminated_instance_stays_terminated_and_runs_no_further_step,
    b06_a_pause_during_a_step_holds_the_next_one,
    b23_a_restarted_instance_shows_no_error_of_the_run_before,
);

#[workflow]
async fn two_steps(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("first", witness.held("first", ())).await?;
    step!("second", witness.ok("second", ())).await?;
    Ok(())
}

#[workflow]
async fn nap_then_step(#[resource] witness: &Witness) -> workflow::Result<()> {
    sleep(300ms).await;
    step!("awake", witness.ok("awake", ())).await?;
    Ok(())
}

/// In the model both became `complete`, with their output, and later steps ran.
async fn b05_a_terminated_instance_stays_terminated_and_runs_no_further_step(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(two_steps, nap_then_step)>().start().await?;
    let in_a_step = two_steps::create(&engine).id("in-a-step").await?;
    stage.witness.ran("first", 1).await;
    let in_a_sleep = nap_then_step::create(&engine).id("in-a-sleep").await?;
    wait::state(&in_a_sleep, State::Waiting).await;
    in_a_step.terminate("enough").await?;
    in_a_sleep.terminate("enough").await?;
    stage.witness.open("first");

    // One that began later and slept as long has ended: so the time of the terminated one has passed.
    nap_then_step::create(&engine).await?.result().await?;
    stage.stop(engine).await;

    let engine = stage.builder().only::<(two_steps, nap_then_step)>().start().await?;
    let in_a_step = two_steps::get(&engine, "in-a-step").await?;
    assert_eq!(in_a_step.status().await?.state, State::Terminated);
    assert!(matches!(in_a_step.result().await, Err(ResultError::Terminated { .. })));
    assert_eq!(nap_then_step::get(&engine, "in-a-sleep").await?.status().await?.state, State::Terminated);
    assert_eq!((stage.witness.count("second"), stage.witness.count("awake")), (0, 1));
    Ok(())
}

/// The model ran on to the end.
async fn b06_a_pause_during_a_step_holds_the_next_one(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<two_steps>().start().await?;
    let instance = two_steps::create(&engine).await?;
    stage.witness.ran("first", 1).await;
    instance.pause().await?;
    assert_eq!(instance.status().await?.state, State::Running, "a body that runs is not interrupted");
    stage.witness.open("first");
    wait::state(&instance, State::Paused).await;
    assert_eq!(stage.witness.notes(), ["first"]);
    instance.resume().await?;
    instance.result().await?;
    assert_eq!(stage.witness.notes(), ["first", "second"]);
    Ok(())
}

#[workflow]
async fn fails_once(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("work", witness.flaky("work", 1, 42)).await?)
}

/// The model showed `complete` together with the error of the run before.
async fn b23_a_restarted_instance_shows_no_error_of_the_run_before(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<fails_once>().start().await?;
    let instance = fails_once::create(&engine).await?;
    assert!(matches!(instance.result().await, Err(ResultError::Failed(_))));
    let failed = instance.status().await?;
    assert_eq!((failed.state, failed.error.is_some()), (State::Errored, true));

    instance.restart().await?;
    assert_eq!(instance.result().await?, 42);
    let status = instance.status().await?;
    assert_eq!(status.state, State::Complete);
    assert!(status.error.is_none(), "{status:?}");
    Ok(())
}
