//! Code that changes: versions side by side, shelves, divergence, `changed`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::in_front::{Between, InFront};
use support::prelude::*;
use workflow::journal::command::{Command, Reply};
use workflow::store::{BoxFuture, Store, StoreError};
use workflow::words::id::WorkflowName;

on_every_store!(
    versions_run_side_by_side_each_on_its_own_code,
    an_instance_waits_on_a_shelf_until_a_worker_knows_its_version,
    what_a_claim_gives_that_the_worker_does_not_know_goes_to_its_shelf,
    a_divergence_parks_and_goes_on_after_the_rollback,
    an_operation_that_is_gone_from_the_code_parks,
    changed_keeps_old_instances_on_the_old_branch,
    two_workflows_of_one_name_and_version_do_not_start,
    a_resource_that_is_missing_is_found_at_the_start,
);

mod v1 {
    use support::prelude::*;

    #[workflow(name = "report", version = 1)]
    pub(super) async fn report() -> u64 {
        wait_for::<Go>("go").await.number + 100
    }
}

mod v2 {
    use support::prelude::*;

    #[workflow(name = "report", version = 2)]
    pub(super) async fn report() -> u64 {
        wait_for::<Go>("go").await.number + 200
    }
}

async fn versions_run_side_by_side_each_on_its_own_code(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(v1::report, v2::report)>().start().await?;
    let old = v1::report::create(&engine).await?;
    let new = v2::report::create(&engine).await?;
    old.send(Go { number: 1 }).await?;
    new.send(Go { number: 2 }).await?;
    assert_eq!((old.result().await?, new.result().await?), (101, 202));
    assert_eq!((old.status().await?.version, new.status().await?.version), (1, 2));
    Ok(())
}

async fn an_instance_waits_on_a_shelf_until_a_worker_knows_its_version(stage: Stage) -> TestResult {
    let old_worker = stage.builder().only::<v1::report>().start().await?;
    let old = v1::report::create(&old_worker).id("old").await?;
    wait::state(&old, State::Waiting).await;
    stage.stop(old_worker).await;

    let new_worker = stage.builder().only::<v2::report>().start().await?;
    v1::report::get(&new_worker, "old").await?.send(Go { number: 1 }).await?;
    let shelved = async || {
        let overview = new_worker.overview().await.expect("the store of a test answers");
        let is_it = |shelf: &Shelf| (shelf.workflow.as_str(), shelf.version, shelf.instances) == ("report", 1, 1);
        overview.shelves.iter().any(is_it).then_some(())
    };
    wait::until("the instance is on its shelf", shelved).await;
    let new = v2::report::create(&new_worker).await?;
    new.send(Go { number: 2 }).await?;
    assert_eq!(new.result().await?, 202, "what is on a shelf stands in nobody's way");

    let rolled_back = stage.builder().only::<v1::report>().start().await?;
    assert_eq!(v1::report::get(&rolled_back, "old").await?.result().await?, 101);
    Ok(())
}

/// A store whose first claim gives anything: what it found may have been deleted and created anew, as something else,
/// before it gave it.
#[derive(Debug, Default)]
struct GivesAnything(AtomicBool);

impl Between for GivesAnything {
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        mut batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        for command in &mut batch {
            if let Command::Claim(claim) = command
                && !self.0.swap(true, Ordering::SeqCst)
            {
                let report = WorkflowName::new("report").expect("valid");
                claim.known = Arc::new([(report.clone(), 1), (report, 2)]);
            }
        }
        store.execute(partition, batch)
    }
}

async fn what_a_claim_gives_that_the_worker_does_not_know_goes_to_its_shelf(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let old = v1::report::create(&client).id("old").await?;
    old.send(Go { number: 1 }).await?;
    let store = InFront::of(stage.store().await, GivesAnything::default());
    let worker = stage.builder().store(Arc::new(store) as Arc<dyn Store>).only::<v2::report>().start().await?;
    let shelved = async || {
        let overview = client.overview().await.expect("the store of a test answers");
        overview.shelves.iter().any(|shelf| (shelf.version, shelf.instances) == (1, 1)).then_some(())
    };
    wait::until("the instance is on its shelf", shelved).await;
    assert_eq!(old.status().await?.state, State::Queued, "nobody has to look at it");
    stage.stop(worker).await;
    let knows = stage.builder().only::<v1::report>().start().await?;
    assert_eq!(v1::report::get(&knows, "old").await?.result().await?, 101);
    Ok(())
}

mod good {
    use support::prelude::*;

    #[workflow(name = "ship")]
    pub(super) async fn ship(#[resource] witness: &Witness) -> workflow::Result<u64> {
        let label = step!("print label", witness.ok("print label", 1)).await?;
        let go = wait_for::<Go>("handed over").await;
        Ok(label + step!("tell customer", witness.ok("tell customer", go.number)).await?)
    }
}

mod renamed {
    use support::prelude::*;

    #[workflow(name = "ship")]
    pub(super) async fn ship(#[resource] witness: &Witness) -> workflow::Result<u64> {
        let label = step!("print a label", witness.ok("print a label", 1)).await?;
        let go = wait_for::<Go>("handed over").await;
        Ok(label + step!("tell customer", witness.ok("tell customer", go.number)).await?)
    }
}

mod emptied {
    use support::prelude::*;

    #[workflow(name = "ship")]
    pub(super) async fn ship(#[resource] _witness: &Witness) -> workflow::Result<u64> {
        Ok(0)
    }
}

/// The reason for which an instance is parked, once it is.
async fn divergence<W: Subject>(instance: &Handle<W>) -> Divergence {
    let status = wait::state(instance, State::Paused).await;
    match status.paused.expect("a paused instance says why").reason {
        PauseReason::Divergence(divergence) => *divergence,
        other => panic!("parked for another reason: {other:?}"),
    }
}

/// Starts an instance on the good code and stops the worker while it waits.
async fn shipped_by_good_code(stage: &Stage) -> TestResult {
    let engine = stage.builder().only::<good::ship>().start().await?;
    let instance = good::ship::create(&engine).id("parcel").await?;
    wait::state(&instance, State::Waiting).await;
    stage.stop(engine).await;
    Ok(())
}

async fn goes_on_after_a_rollback(stage: &Stage) -> TestResult {
    let engine = stage.builder().only::<good::ship>().start().await?;
    let instance = good::ship::get(&engine, "parcel").await?;
    instance.resume().await?;
    assert_eq!(instance.result().await?, 6);
    assert_eq!(stage.witness.notes(), ["print label", "tell customer"], "nothing ran on the bad code");
    Ok(())
}

async fn a_divergence_parks_and_goes_on_after_the_rollback(stage: Stage) -> TestResult {
    shipped_by_good_code(&stage).await?;
    let bad = stage.builder().only::<renamed::ship>().start().await?;
    let instance = renamed::ship::get(&bad, "parcel").await?;
    instance.send(Go { number: 5 }).await?;
    let divergence = divergence(&instance).await;
    let recorded = divergence.recorded.as_ref().expect("the journal's side is shown");
    assert!(recorded.operation.contains("print label"), "{divergence}");
    let asked = divergence.asked.first().expect("the code's side is shown");
    assert!(asked.operation.contains("print a label"), "{divergence}");
    assert!(asked.source.as_deref().is_some_and(|source| source.contains("versions.rs:")), "{divergence}");
    stage.stop(bad).await;
    goes_on_after_a_rollback(&stage).await
}

async fn an_operation_that_is_gone_from_the_code_parks(stage: Stage) -> TestResult {
    shipped_by_good_code(&stage).await?;
    let bad = stage.builder().only::<emptied::ship>().start().await?;
    let instance = emptied::ship::get(&bad, "parcel").await?;
    instance.send(Go { number: 5 }).await?;
    let divergence = divergence(&instance).await;
    assert!(divergence.recorded.is_some_and(|side| side.operation.contains("print label")));
    stage.stop(bad).await;
    goes_on_after_a_rollback(&stage).await
}

mod unchanged {
    use support::prelude::*;

    #[workflow(name = "greet")]
    pub(super) async fn greet(#[resource] witness: &Witness) -> workflow::Result<String> {
        step!("begin", witness.ok("begin", ())).await?;
        step!("look", witness.ok("look", ())).await?;
        let go = wait_for::<Go>("go").await;
        Ok(step!("by letter", witness.ok("by letter", format!("letter {}", go.number))).await?)
    }
}

mod with_a_change {
    use support::prelude::*;

    #[workflow(name = "greet")]
    pub(super) async fn greet(#[resource] witness: &Witness) -> workflow::Result<String> {
        step!("begin", witness.ok("begin", ())).await?;
        let by_mail = changed("greet by mail").await;
        step!("look", witness.ok("look", ())).await?;
        let go = wait_for::<Go>("go").await;
        if by_mail {
            Ok(step!("by mail", witness.ok("by mail", format!("mail {}", go.number))).await?)
        } else {
            Ok(step!("by letter", witness.ok("by letter", format!("letter {}", go.number))).await?)
        }
    }
}

async fn changed_keeps_old_instances_on_the_old_branch(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<unchanged::greet>().start().await?;
    wait::state(&unchanged::greet::create(&engine).id("old").await?, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<with_a_change::greet>().start().await?;
    let old = with_a_change::greet::get(&engine, "old").await?;
    let new = with_a_change::greet::create(&engine).id("new").await?;
    wait::state(&new, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<with_a_change::greet>().start().await?;
    for id in [old.id(), new.id()] {
        with_a_change::greet::get(&engine, id).await?.send(Go { number: 1 }).await?;
    }
    assert_eq!(with_a_change::greet::get(&engine, "old").await?.result().await?, "letter 1");
    assert_eq!(with_a_change::greet::get(&engine, "new").await?.result().await?, "mail 1");
    Ok(())
}

async fn two_workflows_of_one_name_and_version_do_not_start(stage: Stage) -> TestResult {
    let refused = stage.builder().only::<(good::ship, renamed::ship)>().start().await;
    let error = refused.expect_err("two workflows are named ship").to_string();
    assert!(error.contains("ship") && error.matches("versions.rs:").count() == 2, "both places are named: {error}");
    Ok(())
}

struct Missing;

#[workflow]
async fn wants_a_resource(#[resource] missing: &Missing) -> workflow::Result<()> {
    step!("use it", async {
        let Missing = missing;
        Ok::<_, Oops>(())
    })
    .await?;
    Ok(())
}

async fn a_resource_that_is_missing_is_found_at_the_start(stage: Stage) -> TestResult {
    let refused = stage.builder().only::<wants_a_resource>().start().await;
    let error = refused.expect_err("nobody gave it").to_string();
    assert!(error.contains("Missing") && error.contains("wants_a_resource"), "{error}");
    // A client executes nothing, so it needs nothing.
    let client = stage.builder().mode(Mode::Client).only::<wants_a_resource>().start().await?;
    wants_a_resource::create(&client).await?;
    Ok(())
}
