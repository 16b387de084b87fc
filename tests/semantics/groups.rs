//! Groups and parts: scopes for names, and what is recorded as one.

use support::prelude::*;

on_every_store!(
    a_finished_group_is_replayed_without_running_its_block,
    one_name_may_stand_in_a_group_and_outside_it,
    groups_nest_and_each_attempt_replays_what_had_finished,
    a_group_that_keeps_failing_gives_its_own_error,
    a_group_that_takes_too_long_is_given_up_with_everything_in_it,
    groups_in_a_loop_are_told_apart_by_their_key,
    groups_run_side_by_side_in_a_join,
    parts_are_scopes_and_may_call_themselves,
);

#[workflow]
async fn grouped(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let sum = group!("sum", {
        let one = step!("number", witness.ok("inner", 1)).await?;
        sleep(10ms).await;
        let two = step!("another", witness.ok("inner", 2)).await?;
        Ok(one + two)
    })
    .await?;
    let outer = step!("number", witness.ok("outer", 10)).await?;
    wait_for::<Go>("go").await;
    Ok(sum + outer)
}

async fn a_finished_group_is_replayed_without_running_its_block(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<grouped>().start().await?;
    grouped::create(&engine).id("group").await?;
    stage.witness.ran("outer", 1).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<grouped>().start().await?;
    let instance = grouped::get(&engine, "group").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 13);
    assert_eq!(stage.witness.notes(), ["inner", "inner", "outer"]);
    Ok(())
}

async fn one_name_may_stand_in_a_group_and_outside_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<grouped>().start().await?;
    let instance = grouped::create(&engine).await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 13, "each step gives its own result");
    Ok(())
}

#[workflow]
async fn nested(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let total = group!("outer", retries = 1, delay = 10ms, {
        let one = step!("one", witness.ok("one", 1)).await?;
        let inner = group!("inner", retries = 1, delay = 10ms, {
            let two = step!("two", witness.ok("two", 2)).await?;
            let three = step!("three", witness.flaky("three", 3, 3)).await?;
            Ok(two + three)
        })
        .await?;
        Ok(one + inner)
    })
    .await?;
    Ok(total)
}

async fn groups_nest_and_each_attempt_replays_what_had_finished(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<nested>().start().await?;
    assert_eq!(nested::create(&engine).await?.result().await?, 6);
    // Two attempts of the outer group, each with two of the inner one; "three" ends well at the last of the four.
    assert_eq!((stage.witness.count("one"), stage.witness.count("three")), (1, 4));
    assert!(stage.witness.count("two") <= 2, "once in each inner group at most: {:?}", stage.witness.notes());
    Ok(())
}

#[workflow]
async fn hopeless(#[resource] witness: &Witness) -> workflow::Result<String> {
    let outcome = group!("hopeless", retries = 2, delay = 10ms, {
        step!("inner", witness.fails("inner")).await?;
        Ok(())
    })
    .await;
    let error = outcome.expect_err("the inner step always fails");
    Ok(format!("{} {} {}", error.name(), error.is_group(), error.attempts()))
}

async fn a_group_that_keeps_failing_gives_its_own_error(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<hopeless>().start().await?;
    assert_eq!(hopeless::create(&engine).await?.result().await?, "hopeless true 3");
    assert_eq!(stage.witness.count("inner"), 3);
    Ok(())
}

#[workflow]
async fn slow_group(#[resource] witness: &Witness) -> workflow::Result<(FailureKind, u64)> {
    let outcome = group!("slow", timeout = 200ms, {
        step!("quick", witness.ok("quick", ())).await?;
        wait_for::<Go>("never").await;
        Ok(())
    })
    .await;
    step!("gave up", witness.ok("gave up", ())).await?;
    let later = wait_for::<Go>("later").await;
    Ok((outcome.expect_err("nothing was sent").kind(), later.number))
}

async fn a_group_that_takes_too_long_is_given_up_with_everything_in_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<slow_group>().start().await?;
    let instance = slow_group::create(&engine).await?;
    stage.witness.ran("gave up", 1).await;
    instance.send(Go { number: 2 }).await?;
    assert_eq!(instance.result().await?, (FailureKind::TimedOut, 2));
    Ok(())
}

#[workflow]
async fn keyed_groups(#[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    let mut totals = Vec::new();
    for item in [1, 2, 3] {
        let total = group!("item", key = item, {
            let price = step!("price", witness.ok("price", item * 10)).await?;
            let tax = step!("tax", witness.ok("tax", item)).await?;
            Ok(price + tax)
        })
        .await?;
        totals.push(total);
    }
    wait_for::<Go>("go").await;
    Ok(totals)
}

async fn groups_in_a_loop_are_told_apart_by_their_key(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<keyed_groups>().start().await?;
    wait::state(&keyed_groups::create(&engine).id("items").await?, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<keyed_groups>().start().await?;
    let instance = keyed_groups::get(&engine, "items").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, [11, 22, 33]);
    assert_eq!((stage.witness.count("price"), stage.witness.count("tax")), (3, 3));
    Ok(())
}

#[workflow]
async fn joined_groups(#[resource] witness: &Witness) -> workflow::Result<(u64, u64)> {
    let (left, right) = join!(
        group!("left", {
            let go = wait_for::<Go>("go").key("left").await;
            Ok(step!("took", witness.ok("left", go.number)).await?)
        }),
        group!("right", {
            let go = wait_for::<Go>("go").key("right").await;
            Ok(step!("took", witness.ok("right", go.number)).await?)
        }),
    )
    .await;
    Ok((left?, right?))
}

async fn groups_run_side_by_side_in_a_join(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<joined_groups>().start().await?;
    let instance = joined_groups::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 2 }).key("right").await?;
    stage.witness.ran("right", 1).await;
    instance.send(Go { number: 1 }).key("left").await?;
    assert_eq!(instance.result().await?, (1, 2));
    assert_eq!(stage.witness.notes(), ["right", "left"]);
    Ok(())
}

#[part]
async fn countdown(from: u64, witness: &Witness) -> workflow::Result<u64> {
    if from == 0 {
        return Ok(0);
    }
    let here = step!("tick", witness.ok("tick", from)).await?;
    Ok(here + countdown(from - 1, witness).await?)
}

#[workflow]
async fn recursive(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let first = countdown(4, witness).await?;
    let second = countdown(2, witness).await?;
    wait_for::<Go>("go").await;
    Ok(first * 100 + second)
}

async fn parts_are_scopes_and_may_call_themselves(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<recursive>().start().await?;
    wait::state(&recursive::create(&engine).id("count").await?, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<recursive>().start().await?;
    let instance = recursive::get(&engine, "count").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 1003);
    assert_eq!(stage.witness.count("tick"), 6);
    Ok(())
}
