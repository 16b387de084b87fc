//! Pause, resume, terminate and restart, in every state.

use support::prelude::*;

on_every_store!(
    a_queued_instance_can_be_paused_and_resumed,
    a_retry_delay_can_be_paused,
    a_pause_that_is_taken_back_before_it_took_effect_leaves_no_trace,
    pausing_twice_is_pausing_once,
    a_queued_instance_can_be_terminated,
    a_paused_instance_can_be_terminated,
    what_has_ended_cannot_be_paused_resumed_or_terminated,
    a_restart_while_a_body_runs_takes_nothing_from_the_old_run,
    a_restart_forgets_events_and_gives_the_same_inputs,
    a_result_follows_the_newest_run,
    a_paused_instance_survives_its_worker,
    termination_ends_every_wait_of_a_join,
);

#[workflow]
async fn steps_and_a_wait(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("first", witness.held("first", ())).await?;
    let go = wait_for::<Go>("go").await;
    step!("last", witness.ok("last", ())).await?;
    Ok(number + go.number)
}

fn refused<T>(outcome: &Result<T, EngineError>) -> bool {
    matches!(outcome, Err(EngineError::Refused { .. }))
}

async fn a_queued_instance_can_be_paused_and_resumed(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = steps_and_a_wait::create(&client, 1).await?;
    assert_eq!(instance.pause().await?, State::Paused);
    instance.send(Go { number: 1 }).await?;

    // A worker that has run what was created later has not run this one.
    let _worker = stage.builder().only::<steps_and_a_wait>().start().await?;
    let later = steps_and_a_wait::create(&client, 2).await?;
    later.send(Go { number: 2 }).await?;
    assert_eq!(later.result().await?, 4);
    assert_eq!(stage.witness.notes(), ["first", "last"]);
    assert_eq!(instance.status().await?.state, State::Paused);
    instance.resume().await?;
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn retries_slowly(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("work", retries = 1, delay = 1500ms, witness.flaky("work", 1, ())).await?;
    Ok(())
}

async fn a_retry_delay_can_be_paused(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<retries_slowly>().start().await?;
    let instance = retries_slowly::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    wait::moment(stage.witness.times("work")[0] + Duration::from_millis(1_600)).await;
    assert_eq!(stage.witness.count("work"), 1, "no attempt begins in a pause");
    instance.resume().await?;
    instance.result().await?;
    assert_eq!(stage.witness.count("work"), 2);
    Ok(())
}

/// The owner was told of the pause and must not suspend as paused after it was taken back.
async fn a_pause_that_is_taken_back_before_it_took_effect_leaves_no_trace(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).await?;
    stage.witness.ran("first", 1).await;
    assert_eq!(instance.pause().await?, State::Running);
    assert!(instance.status().await?.pausing);
    instance.resume().await?;
    assert!(!instance.status().await?.pausing);
    stage.witness.open("first");
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 2 }).await?;
    assert_eq!(instance.result().await?, 3);
    Ok(())
}

async fn pausing_twice_is_pausing_once(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).await?;
    wait::state(&instance, State::Waiting).await;
    assert!(refused(&instance.resume().await), "it is not paused");
    assert_eq!(instance.pause().await?, State::Paused);
    assert_eq!(instance.pause().await?, State::Paused);
    instance.resume().await?;
    instance.send(Go { number: 0 }).await?;
    assert_eq!(instance.result().await?, 1);
    Ok(())
}

async fn a_queued_instance_can_be_terminated(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = steps_and_a_wait::create(&client, 1).await?;
    instance.terminate("not wanted").await?;
    let _worker = stage.builder().only::<steps_and_a_wait>().start().await?;
    let later = steps_and_a_wait::create(&client, 2).await?;
    later.send(Go { number: 2 }).await?;
    later.result().await?;
    assert_eq!(stage.witness.count("first"), 1, "only the later one began");
    let status = instance.status().await?;
    assert_eq!((status.state, status.terminated.as_deref()), (State::Terminated, Some("not wanted")));
    Ok(())
}

async fn a_paused_instance_can_be_terminated(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    instance.terminate("enough").await?;
    match instance.result().await {
        Err(ResultError::Terminated { reason }) => assert_eq!(reason, "enough"),
        other => panic!("it was terminated: {other:?}"),
    }
    Ok(())
}

async fn what_has_ended_cannot_be_paused_resumed_or_terminated(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).await?;
    instance.send(Go { number: 1 }).await?;
    instance.result().await?;
    assert!(refused(&instance.pause().await));
    assert!(refused(&instance.resume().await));
    assert!(refused(&instance.terminate("late").await));
    assert_eq!(instance.result().await?, 2, "nothing of it changed");
    Ok(())
}

#[workflow]
async fn tells_its_pass(#[resource] witness: &Witness) -> workflow::Result<(u32, usize)> {
    let run = info().await.run;
    let pass = step!("pass", async {
        let pass = witness.note("pass");
        witness.held(&format!("gate {pass}"), pass).await
    })
    .await?;
    Ok((run, pass))
}

/// The first run's body ends after the second run began, while its worker is alive and well.
async fn a_restart_while_a_body_runs_takes_nothing_from_the_old_run(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<tells_its_pass>().start().await?;
    let instance = tells_its_pass::create(&engine).await?;
    stage.witness.ran("gate 1", 1).await;
    instance.restart().await?;
    stage.witness.open("gate 1");
    stage.witness.ran("gate 2", 1).await;
    assert_eq!(instance.status().await?.state, State::Running);
    stage.witness.open("gate 2");
    assert_eq!(instance.result().await?, (2, 2));
    Ok(())
}

async fn a_restart_forgets_events_and_gives_the_same_inputs(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 40).await?;
    instance.send(Go { number: 1 }).id("once").await?;
    instance.send(Go { number: 1_000 }).await?;
    // Not before: one event is enough for it to end.
    stage.witness.open("first");
    assert_eq!(instance.result().await?, 41);

    instance.restart().await?;
    wait::state(&instance, State::Waiting).await;
    // The id belongs to the run before: in this one it is new.
    instance.send(Go { number: 2 }).id("once").await?;
    assert_eq!(instance.result().await?, 42);
    let status = instance.status().await?;
    assert_eq!((status.run, status.output), (2, Some(42)));
    assert_eq!((stage.witness.count("first"), stage.witness.count("last")), (2, 2));
    Ok(())
}

async fn a_result_follows_the_newest_run(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).await?;
    wait::state(&instance, State::Waiting).await;
    let waiting = tokio::spawn({
        let instance = instance.clone();
        async move { instance.result().await }
    });
    instance.restart().await?;
    instance.send(Go { number: 6 }).await?;
    assert_eq!(waiting.await??, 7);
    Ok(())
}

async fn a_paused_instance_survives_its_worker(stage: Stage) -> TestResult {
    stage.witness.open("first");
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::create(&engine, 1).id("paused").await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    stage.stop(engine).await;
    let engine = stage.builder().only::<steps_and_a_wait>().start().await?;
    let instance = steps_and_a_wait::get(&engine, "paused").await?;
    assert_eq!(instance.status().await?.state, State::Paused);
    instance.send(Go { number: 1 }).await?;
    instance.resume().await?;
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn waits_for_many_things(#[resource] witness: &Witness) -> workflow::Result<()> {
    let (_go, (), slow) =
        join!(wait_for::<Go>("go"), sleep(1h), step!("slow", witness.held_until_dropped("slow"))).await;
    slow?;
    Ok(())
}

async fn termination_ends_every_wait_of_a_join(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_many_things>().start().await?;
    let instance = waits_for_many_things::create(&engine).await?;
    stage.witness.ran("slow", 1).await;
    instance.terminate("enough").await?;
    stage.witness.ran("slow dropped", 1).await;
    let status = instance.status().await?;
    assert_eq!(status.state, State::Terminated);
    assert!(status.waits.is_empty(), "{status:?}");
    Ok(())
}
