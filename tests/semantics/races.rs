//! Races: the first wins, live and in every replay; losers are gone.

use support::prelude::*;

on_every_store!(
    a_race_is_won_by_the_same_branch_after_a_replay,
    the_body_of_a_losing_step_is_dropped,
    a_race_of_steps_that_end_together_is_won_in_written_order_for_ever,
    a_branch_that_is_a_block_stops_where_it_stands_when_it_loses,
    an_arm_may_return_from_the_workflow,
);

#[workflow]
async fn sleep_against_step(#[resource] witness: &Witness) -> workflow::Result<String> {
    let winner = race! {
        slow = step!("slow", witness.held_until_dropped("slow")) => slow.map(|()| "slow".to_owned())?,
        () = sleep(100ms) => "sleep".to_owned(),
    }
    .await;
    step!("after", witness.ok("after", ())).await?;
    wait_for::<Go>("go").await;
    Ok(winner)
}

async fn a_race_is_won_by_the_same_branch_after_a_replay(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleep_against_step>().start().await?;
    sleep_against_step::create(&engine).id("race").await?;
    stage.witness.ran("after", 1).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<sleep_against_step>().start().await?;
    let instance = sleep_against_step::get(&engine, "race").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, "sleep");
    assert_eq!((stage.witness.count("slow"), stage.witness.count("after")), (1, 1));
    Ok(())
}

async fn the_body_of_a_losing_step_is_dropped(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleep_against_step>().start().await?;
    let instance = sleep_against_step::create(&engine).await?;
    stage.witness.ran("after", 1).await;
    assert_eq!(stage.witness.notes(), ["slow", "slow dropped", "after"]);
    instance.send(Go { number: 1 }).await?;
    instance.result().await?;
    Ok(())
}

#[workflow]
async fn two_quick_steps(#[resource] witness: &Witness) -> workflow::Result<(u64, u64)> {
    let first = race! {
        one = step!("one", witness.ok("one", 1_u64)) => one?,
        two = step!("two", witness.ok("two", 2_u64)) => two?,
    }
    .await;
    let live = step!("remember", witness.ok("remember", first)).await?;
    wait_for::<Go>("go").await;
    Ok((live, first))
}

/// Both bodies end in one poll and both results may be recorded; the loser's record must not confuse a replay.
async fn a_race_of_steps_that_end_together_is_won_in_written_order_for_ever(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<two_quick_steps>().start().await?;
    wait::state(&two_quick_steps::create(&engine).id("race").await?, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<two_quick_steps>().start().await?;
    let instance = two_quick_steps::get(&engine, "race").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    assert_eq!(stage.witness.count("remember"), 1);
    Ok(())
}

#[workflow]
async fn blocks(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let winner = race! {
        slow = async {
            step!("begin", witness.ok("begin", ())).await?;
            sleep(1h).await;
            step!("never", witness.ok("never", 1_u64)).await
        } => slow?,
        go = wait_for::<Go>("go") => go.number,
    }
    .await;
    Ok(winner)
}

async fn a_branch_that_is_a_block_stops_where_it_stands_when_it_loses(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<blocks>().start().await?;
    let instance = blocks::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 7 }).await?;
    assert_eq!(instance.result().await?, 7);
    assert_eq!(stage.witness.notes(), ["begin"]);
    Ok(())
}

#[workflow]
async fn returns_from_an_arm(#[resource] witness: &Witness) -> workflow::Result<String> {
    race! {
        go = wait_for::<Go>("go") => {
            let doubled = step!("double", witness.ok("double", go.number * 2)).await?;
            return Ok(format!("paid {doubled}"));
        },
        () = sleep(1h) => {}
    }
    .await;
    Ok("late".to_owned())
}

async fn an_arm_may_return_from_the_workflow(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<returns_from_an_arm>().start().await?;
    let instance = returns_from_an_arm::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 4 }).await?;
    assert_eq!(instance.result().await?, "paid 8");
    Ok(())
}
