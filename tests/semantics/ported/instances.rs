//! "Workflow" and "WorkflowInstance": making instances, asking about them, controlling them.

use support::prelude::*;

on_every_store!(
    a_batch_of_a_hundred_is_created_and_each_is_asked_for,
    an_instance_goes_through_every_state_of_the_table,
    a_completion_is_waited_for_until_a_limit,
    a_listener_hears_of_pauses_resumes_and_the_end,
);

#[workflow]
async fn fulfil(order_id: String, user_id: String, #[resource] witness: &Witness) -> workflow::Result<String> {
    Ok(step!("fulfil", witness.ok("fulfil", format!("{order_id} for {user_id}"))).await?)
}

/// "createBatch()", as large as the model allows.
async fn a_batch_of_a_hundred_is_created_and_each_is_asked_for(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<fulfil>().start().await?;
    let items = (1..=100).map(|n| fulfil::new(format!("order-{n}"), format!("user-{n}")).id(format!("order-{n}")));
    let instances = fulfil::create_batch(&engine, items).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(instances.len(), 100);
    for (number, instance) in (1..).zip(&instances) {
        assert_eq!(instance.id(), format!("order-{number}"));
        assert_eq!(instance.result().await?, format!("order-{number} for user-{number}"));
        // "get()" and "status()".
        let status = fulfil::get(&engine, instance.id()).await?.status().await?;
        assert_eq!((status.state, status.error), (State::Complete, None));
        assert_eq!(status.output, Some(format!("order-{number} for user-{number}")));
    }
    assert_eq!(stage.witness.count("fulfil"), 100);
    Ok(())
}

#[workflow]
async fn through_states(fails: bool, #[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("work", witness.held("work", ())).await?;
    let go = wait_for::<Go>("go").await;
    step!("last", witness.flaky("last", usize::from(fails), ())).await?;
    Ok(go.number)
}

/// "Workflow States": all seven, each reached and seen, and a restart from the last.
async fn an_instance_goes_through_every_state_of_the_table(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = through_states::create(&client, true).await?;
    assert_eq!(instance.status().await?.state, State::Queued);

    let worker = stage.builder().mode(Mode::Worker).only::<through_states>().start().await?;
    stage.witness.ran("work", 1).await;
    assert_eq!(instance.status().await?.state, State::Running);
    stage.witness.open("work");
    wait::state(&instance, State::Waiting).await;
    assert_eq!(instance.pause().await?, State::Paused);
    assert_eq!(instance.status().await?.state, State::Paused);
    instance.resume().await?;
    wait::state(&instance, State::Waiting).await;

    instance.send(Go { number: 1 }).await?;
    assert!(matches!(instance.result().await, Err(ResultError::Failed(_))));
    let errored = instance.status().await?;
    assert_eq!(errored.state, State::Errored);
    assert!(errored.error.is_some_and(|error| error.message.contains("last failed at execution 1")));

    instance.restart().await?;
    instance.send(Go { number: 2 }).await?;
    assert_eq!(instance.result().await?, 2);
    let complete = instance.status().await?;
    assert_eq!((complete.state, complete.output, complete.run), (State::Complete, Some(2), 2));
    assert_eq!(instance.history_of(1).await?.run, 1, "what was before the restart is kept");

    let ended = through_states::create(&client, false).await?;
    ended.terminate("not wanted").await?;
    assert_eq!(ended.status().await?.state, State::Terminated);
    stage.stop(worker).await;
    Ok(())
}

/// "waitForCompletion()": the sample gives up after a minute; nothing gives up by itself here.
async fn a_completion_is_waited_for_until_a_limit(stage: Stage) -> TestResult {
    stage.witness.open("work");
    let engine = stage.builder().only::<through_states>().start().await?;
    let instance = through_states::create(&engine, false).await?;
    match instance.result_within(Duration::from_millis(20)).await {
        Err(error @ ResultError::TimedOut { .. }) => assert!(!error.is_final(), "it goes on"),
        other => panic!("nothing was sent: {other:?}"),
    }
    instance.send(Go { number: 3 }).await?;
    assert_eq!(instance.result_within(wait::PATIENCE).await?, 3);
    Ok(())
}

/// The model's `on("paused", …)` and the like, by polling; its "resumed" never came.
async fn a_listener_hears_of_pauses_resumes_and_the_end(stage: Stage) -> TestResult {
    stage.witness.open("work");
    let engine = stage.builder().only::<through_states>().start().await?;
    let instance = through_states::create(&engine, false).await?;
    wait::state(&instance, State::Waiting).await;
    let mut changes = instance.on_change();
    let mut next = async || changes.next().await.map(|status| status.state);
    assert_eq!(next().await, Some(State::Waiting));
    instance.pause().await?;
    assert_eq!(next().await, Some(State::Paused));
    instance.resume().await?;
    loop {
        match next().await {
            Some(State::Waiting) => break,
            // In between, where that is seen.
            Some(State::Queued | State::Running) => {}
            other => panic!("it was resumed, not {other:?}"),
        }
    }
    instance.terminate("enough").await?;
    assert_eq!(next().await, Some(State::Terminated));
    assert_eq!(next().await, None, "no more will come");
    Ok(())
}
