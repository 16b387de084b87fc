//! How long instances are kept, who says so, and what lists and counts show of them.

use support::prelude::*;

on_every_store!(
    a_workflow_says_how_long_its_instances_are_kept,
    a_child_is_kept_as_its_own_workflow_says,
    what_has_ended_can_be_deleted_and_its_id_used_again,
    what_waits_for_another_worker_is_seen_everywhere,
    a_list_by_id_is_in_the_order_of_ids_or_says_how_to_turn_it_on,
);

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[workflow(keep_complete = 2h, keep_failed = "3 days")]
async fn audited(fails: bool, #[resource] witness: &Witness) -> workflow::Result<()> {
    if fails {
        step!("break", retries = 0, witness.fails("break")).await?;
    }
    Ok(())
}

#[workflow(keep_complete = 1d)]
async fn parent(#[resource] witness: &Witness) -> workflow::Result<()> {
    audited(false, witness).await?;
    plain().await?;
    Ok(())
}

#[workflow]
async fn plain() {}

/// How long an instance is kept after its end.
async fn kept(instance: &workflow::Instance) -> Result<Duration, EngineError> {
    let status = instance.status().await?;
    let (ended, expires) = (status.ended_at.expect("it has ended"), status.expires_at.expect("it has ended"));
    Ok(expires.duration_since(ended).expect("later"))
}

async fn a_workflow_says_how_long_its_instances_are_kept(stage: Stage) -> TestResult {
    let engine = stage.builder().retention(HOUR, HOUR).only::<(audited, plain)>().start().await?;
    let complete = audited::create(&engine, false).await?;
    complete.result().await?;
    assert_eq!(kept(&complete.untyped()).await?, 2 * HOUR);
    let failed = audited::create(&engine, true).await?;
    assert!(failed.result().await.is_err());
    assert_eq!(kept(&failed.untyped()).await?, 3 * DAY);
    let otherwise = audited::create(&engine, false).retention(DAY, DAY).await?;
    otherwise.result().await?;
    assert_eq!(kept(&otherwise.untyped()).await?, DAY, "the create says it");
    let silent = plain::create(&engine).await?;
    silent.result().await?;
    assert_eq!(kept(&silent.untyped()).await?, HOUR, "the engine says it");
    Ok(())
}

async fn a_child_is_kept_as_its_own_workflow_says(stage: Stage) -> TestResult {
    let engine = stage.builder().retention(HOUR, HOUR).only::<(audited, parent, plain)>().start().await?;
    parent::create(&engine).await?.result().await?;
    for (workflow, expected) in [("parent", DAY), ("audited", 2 * HOUR), ("plain", DAY)] {
        let listed = engine.list().workflow(workflow).await?;
        let [one] = listed.instances.as_slice() else { panic!("one {workflow}: {listed:?}") };
        assert_eq!(kept(&engine.instance(one.id.clone()).await?).await?, expected, "{workflow}");
    }
    Ok(())
}

async fn what_has_ended_can_be_deleted_and_its_id_used_again(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = plain::create(&client).id("one").await?;
    let early = instance.delete().await;
    assert!(matches!(&early, Err(EngineError::Refused { action: "deleted", state: State::Queued, .. })), "{early:?}");
    let engine = stage.builder().only::<plain>().start().await?;
    instance.result().await?;
    instance.delete().await?;
    wait::until("it is deleted", async || {
        matches!(instance.status().await, Err(EngineError::NotFound { .. })).then_some(())
    })
    .await;
    let again = instance.delete().await;
    assert!(matches!(again, Err(EngineError::NotFound { .. })), "{again:?}");
    plain::create(&engine).id("one").await?.result().await?;
    Ok(())
}

async fn what_waits_for_another_worker_is_seen_everywhere(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<plain>().start().await?;
    let client = stage.builder().mode(Mode::Client).start().await?;
    let stranger = audited::create(&client, false).await?;
    wait::until("it is on a shelf", async || {
        stranger.status().await.expect("the store of a test answers").shelved.then_some(())
    })
    .await;
    let listed = client.list().state(State::Queued).await?;
    assert!(listed.instances.iter().all(|one| one.shelved && one.id == stranger.id()), "{listed:?}");
    let overview = client.overview().await?;
    assert_eq!((overview.shelved(), overview.of_state(State::Queued), overview.total()), (1, 1, 1));
    assert_eq!(overview.workflows[0].0.as_str(), "audited");
    wait::until("the worker says so", async || {
        let worker = engine.health().worker.expect("it executes");
        let is_it = |shelf: &Shelf| (shelf.workflow.as_str(), shelf.version, shelf.instances) == ("audited", 1, 1);
        worker.shelves.iter().any(is_it).then_some(())
    })
    .await;
    Ok(())
}

async fn a_list_by_id_is_in_the_order_of_ids_or_says_how_to_turn_it_on(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    for id in ["order-2026-3", "order-2025-1", "order-2026-10", "refund-2026-1"] {
        plain::create(&client).id(id).await?;
    }
    let listed = client.list().id_prefix("order-2026-").await;
    if stage.kind.is_redis() {
        let error = listed.expect_err("the namespace keeps no ids");
        assert!(matches!(error, EngineError::NoIdIndex { .. }) && error.to_string().contains("ids=1"), "{error}");
    } else {
        let ids: Vec<String> = listed?.instances.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, ["order-2026-10", "order-2026-3"]);
    }
    for wrong in ["", "a b"] {
        let error = client.list().id_prefix(wrong).await.expect_err("no beginning of an id");
        assert!(matches!(error.code(), "invalid_id" | "no_id_index"), "{error}");
    }
    Ok(())
}
