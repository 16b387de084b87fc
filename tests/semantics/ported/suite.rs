//! What the model's own test suite shows, no sample of its README, and no other test of ours.

use support::prelude::*;

on_every_store!(
    results_stand_in_written_order_whatever_ends_first,
    a_tree_of_steps_branches_by_recursion,
    a_race_in_a_group_is_won_once_and_for_all,
    a_fatal_error_ends_the_groups_around_it_at_once,
    events_of_different_types_come_one_after_the_other,
    an_event_may_have_no_payload,
    a_wait_of_a_run_that_was_restarted_takes_a_new_event,
);

#[workflow]
async fn ends_backwards(#[resource] witness: &Witness) -> workflow::Result<(Vec<u64>, Vec<u64>)> {
    let step = |name: &'static str, number| step!("slow", key = name, witness.held(name, number));
    let live = try_join!(step("a", 1), step("b", 2), step("c", 3)).await?;
    let seen = vec![live.0, live.1, live.2];
    let first = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((first, seen))
}

async fn results_stand_in_written_order_whatever_ends_first(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<ends_backwards>().start().await?;
    let instance = ends_backwards::create(&engine).id("backwards").await?;
    for name in ["a", "b", "c"] {
        stage.witness.ran(name, 1).await;
    }
    for (name, ended) in [("c", 1), ("b", 2), ("a", 3)] {
        stage.witness.open(name);
        let look = async || {
            let history = instance.history().await.expect("the store of a test answers");
            let done = history.operations.iter().filter(|o| o.name == "slow" && o.end.is_some()).count();
            (done == ended).then_some(())
        };
        wait::until("it is recorded", look).await;
    }
    wait::state(&instance, State::Waiting).await;
    drop(instance);
    stage.stop(engine).await;

    let engine = stage.builder().only::<ends_backwards>().start().await?;
    let instance = ends_backwards::get(&engine, "backwards").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    assert_eq!(live, [1, 2, 3]);
    Ok(())
}

#[part]
async fn tree(depth: u64, witness: &Witness) -> workflow::Result<u64> {
    let here = step!("node", witness.ok("node", 1)).await?;
    if depth == 0 {
        return Ok(here);
    }
    let (left, right) = join!(tree(depth - 1, witness), tree(depth - 1, witness)).await;
    Ok(here + left? + right?)
}

#[workflow]
async fn counts_a_tree(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let nodes = tree(3, witness).await?;
    wait_for::<Go>("go").await;
    Ok(nodes)
}

async fn a_tree_of_steps_branches_by_recursion(stage: Stage) -> TestResult {
    let nodes = replayed(&stage, async |engine| counts_a_tree::create(engine).await).await?;
    assert_eq!((nodes.as_u64(), stage.witness.count("node")), (Some(15), 15));
    Ok(())
}

#[workflow]
async fn races_in_a_group(#[resource] witness: &Witness) -> workflow::Result<String> {
    let winner = group!("race", {
        let first = race! {
            quick = step!("quick", witness.ok("quick", "quick".to_owned())) => quick?,
            slow = step!("slow", witness.held_until_dropped("slow")) => slow.map(|()| "slow".to_owned())?,
        }
        .await;
        step!("note", witness.ok("note", ())).await?;
        Ok(first)
    })
    .await?;
    wait_for::<Go>("go").await;
    Ok(winner)
}

async fn a_race_in_a_group_is_won_once_and_for_all(stage: Stage) -> TestResult {
    assert_eq!(replayed(&stage, async |engine| races_in_a_group::create(engine).await).await?, "quick");
    assert_eq!((stage.witness.count("quick"), stage.witness.count("note")), (1, 1));
    Ok(())
}

/// Creates an instance that ends with a wait for `Go`, has another engine replay it there, and gives its output.
async fn replayed<W: Definition>(
    stage: &Stage,
    create: impl AsyncFnOnce(&Engine) -> Result<Handle<W>, EngineError>,
) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
    let engine = stage.builder().only::<W>().start().await?;
    let instance = create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    let id = instance.id().to_owned();
    drop(instance);
    stage.stop(engine).await;
    let engine = stage.builder().only::<W>().start().await?;
    let instance = engine.instance(id).await?;
    instance.send(Go { number: 1 }).await?;
    Ok(instance.result().await?)
}

fn gone(witness: &Witness) -> Fatal<Oops> {
    Oops { step: "inner".to_owned(), execution: witness.note("inner") }.fatal()
}

#[workflow]
async fn fatal_inside(#[resource] witness: &Witness) -> workflow::Result<bool> {
    let outcome = group!("outer", retries = 3, delay = 10ms, {
        group!("inner", retries = 3, delay = 10ms, {
            step!("inner", retries = 3, delay = 10ms, async { Err::<(), _>(gone(witness)) }).await?;
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await;
    Ok(outcome.is_err_and(|error| error.is_fatal()))
}

async fn a_fatal_error_ends_the_groups_around_it_at_once(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<fatal_inside>().start().await?;
    assert!(fatal_inside::create(&engine).await?.result().await?);
    assert_eq!(stage.witness.count("inner"), 1);
    Ok(())
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.created")]
struct Created {
    order: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "payment.received")]
struct Paid {
    cents: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.shipped")]
struct Shipped;

#[workflow]
async fn in_sequence() -> (u64, u64) {
    let Created { order } = wait_for("order").await;
    let Paid { cents } = wait_for("payment").await;
    let Shipped = wait_for("shipment").await;
    (order, cents)
}

/// They may come in any order.
async fn events_of_different_types_come_one_after_the_other(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<in_sequence>().start().await?;
    let instance = in_sequence::create(&engine).await?;
    instance.send(Shipped).await?;
    instance.send(Paid { cents: 900 }).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Created { order: 7 }).await?;
    assert_eq!(instance.result().await?, (7, 900));
    Ok(())
}

#[workflow]
async fn waits_for_a_signal() -> u64 {
    let Shipped = wait_for("typed").await;
    wait_for_type::<()>("untyped", "signal").await;
    2
}

async fn an_event_may_have_no_payload(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_a_signal>().start().await?;
    let instance = waits_for_a_signal::create(&engine).await?;
    instance.send_type(Shipped::TYPE, ()).await?;
    instance.send_type("signal", ()).await?;
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn waits_for_go() -> u64 {
    wait_for::<Go>("go").await.number
}

/// The wait of the old run is gone: an event is read by the new one, once.
async fn a_wait_of_a_run_that_was_restarted_takes_a_new_event(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_go>().start().await?;
    let instance = waits_for_go::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.restart().await?;
    instance.send(Go { number: 4 }).await?;
    assert_eq!(instance.result().await?, 4);
    let status = instance.status().await?;
    assert_eq!((status.run, status.unread_events, status.waits.len()), (2, 0, 0));
    Ok(())
}
