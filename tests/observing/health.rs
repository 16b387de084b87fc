//! What an engine says of itself.

use support::prelude::*;

on_every_store!(health_tells_sessions_drives_and_what_nobody_can_run);

#[workflow]
async fn holds(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("hold", witness.held("hold", ())).await?;
    Ok(())
}

#[workflow]
async fn nobody_knows() -> workflow::Result<()> {
    Ok(())
}

async fn health_tells_sessions_drives_and_what_nobody_can_run(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(holds,)>().start().await?;
    let other = stage.builder().only::<(holds,)>().mode(Mode::Worker).start().await?;
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = holds::create(&engine).await?;
    nobody_knows::create(&client).await?;
    stage.witness.ran("hold", 1).await;

    let worker = |engine: &Engine| engine.health().worker.expect("it executes");
    let settled = async || {
        let (one, two) = (worker(&engine), worker(&other));
        let told = one.workers == 2 && two.workers == 2 && !one.shelves.is_empty();
        (told && one.driving + two.driving == 1).then_some((one, two))
    };
    let (one, two) = wait::until("both know of each other and of the shelf", settled).await;
    let owner = if one.driving == 1 { &one } else { &two };
    assert_eq!(instance.status().await?.worker, owner.session, "the status names the session that health names");
    assert_eq!((one.shelves[0].workflow.as_str(), one.shelves[0].instances), ("nobody_knows", 1));
    let health = engine.health();
    assert!(health.is_good(), "{health}");
    assert_eq!(health.problems(), ["1 instance waits for a worker that knows `nobody_knows` version 1"]);
    assert_eq!(client.health().worker, None);
    assert!(client.health().problems().is_empty());

    stage.witness.open("hold");
    instance.result().await?;
    stage.stop(other).await;
    wait::until("one is gone", async || (worker(&engine).workers == 1).then_some(())).await;
    stage.stop(engine.clone()).await;
    let health = engine.health();
    assert!(
        !health.is_good() && worker(&engine).session.is_none(),
        "an engine that was shut down drives nothing: {health}"
    );
    Ok(())
}
