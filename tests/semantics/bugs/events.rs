//! B4, B7, B8, B9: events.

use support::prelude::*;

on_every_store!(
    b04_an_event_while_the_instance_is_in_memory_runs_nothing_twice,
    b07_an_event_while_paused_is_there_after_the_resume,
    b08_the_loser_of_a_race_of_events_leaves_nothing_behind,
    b09_an_event_before_its_wait_is_kept,
);

/// How many instances a test of a race in time uses.
const MANY: usize = 20;

#[workflow]
async fn paid_then_charged(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let go = wait_for::<Go>("payment").await;
    step!("charge", witness.held("charge", ())).await?;
    Ok(go.number)
}

/// In the model twenty such instances charged forty times.
async fn b04_an_event_while_the_instance_is_in_memory_runs_nothing_twice(stage: Stage) -> TestResult {
    let engine = stage.builder().concurrency(MANY).only::<paid_then_charged>().start().await?;
    let mut instances = Vec::new();
    for _ in 0..MANY {
        let instance = paid_then_charged::create(&engine).await?;
        instance.send(Go { number: 1 }).await?;
        instances.push(instance);
    }
    stage.witness.ran("charge", MANY).await;
    for instance in &instances {
        instance.send(Go { number: 2 }).await?;
    }
    stage.witness.open("charge");
    for instance in &instances {
        assert_eq!(instance.result().await?, 1);
    }
    stage.stop(engine).await;
    assert_eq!(stage.witness.count("charge"), MANY);
    Ok(())
}

#[workflow]
async fn waits_once() -> u64 {
    wait_for::<Go>("go").await.number
}

/// The model stayed `running` for ever.
async fn b07_an_event_while_paused_is_there_after_the_resume(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_once>().start().await?;
    let instance = waits_once::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    instance.send(Go { number: 5 }).await?;
    assert_eq!(instance.status().await?.state, State::Paused, "an event does not resume");
    instance.resume().await?;
    assert_eq!(instance.result().await?, 5);
    Ok(())
}

#[derive(Debug, Event, Serialize, Deserialize)]
struct Left {
    number: u64,
}

#[derive(Debug, Event, Serialize, Deserialize)]
struct Right {
    number: u64,
}

#[workflow]
async fn first_of_two(#[resource] witness: &Witness) -> workflow::Result<(String, u64)> {
    let first = race! {
        left = wait_for::<Left>("left") => format!("left {}", left.number),
        right = wait_for::<Right>("right") => format!("right {}", right.number),
    }
    .await;
    step!("won", witness.ok("won", ())).await?;
    let right = wait_for::<Right>("right again").await;
    Ok((first, right.number))
}

/// In the model the loser registered itself again after the end: all instances ended as `waiting`, with an output.
async fn b08_the_loser_of_a_race_of_events_leaves_nothing_behind(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<first_of_two>().start().await?;
    let mut ids = Vec::new();
    for number in 0..MANY {
        let instance = first_of_two::create(&engine).id(format!("race-{number}")).await?;
        wait::state(&instance, State::Waiting).await;
        ids.push(instance.id().to_string());
    }
    stage.stop(engine).await;

    let engine = stage.builder().only::<first_of_two>().start().await?;
    for id in &ids {
        first_of_two::get(&engine, id).await?.send(Left { number: 1 }).await?;
    }
    stage.witness.ran("won", MANY).await;
    for id in &ids {
        let instance = first_of_two::get(&engine, id).await?;
        instance.send(Right { number: 2 }).await?;
        assert_eq!(instance.result().await?, ("left 1".to_owned(), 2));
        let status = instance.status().await?;
        assert_eq!(status.state, State::Complete);
        assert!(status.waits.is_empty(), "{status:?}");
    }
    Ok(())
}

#[workflow]
async fn waits_after_a_step(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("prepare", witness.held("prepare", ())).await?;
    Ok(wait_for::<Go>("go").await.number)
}

/// The model dropped it and said nothing.
async fn b09_an_event_before_its_wait_is_kept(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_after_a_step>().start().await?;
    let instance = waits_after_a_step::create(&engine).await?;
    stage.witness.ran("prepare", 1).await;
    instance.send(Go { number: 9 }).await?;
    stage.witness.open("prepare");
    assert_eq!(instance.result().await?, 9);
    Ok(())
}
