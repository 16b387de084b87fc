//! Joins: everything side by side, in the journal one at a time.

use support::prelude::*;

on_every_store!(
    a_join_of_a_hundred_steps_gives_every_result_in_order,
    a_step_takes_the_variables_of_its_closure_along_to_every_attempt,
    a_join_of_different_things_waits_for_all,
    a_try_join_stops_at_the_first_error_and_drops_the_rest,
    bodies_of_a_join_run_at_the_same_time,
);

#[workflow]
async fn hundred_steps(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let square =
        |number: u64| async move { step!("square", key = number, witness.ok("square", number * number)).await };
    let squares = try_join_all((0..100_u64).map(square)).await?;
    assert!(squares.iter().enumerate().all(|(number, square)| (number * number) as u64 == *square));
    step!("joined", witness.ok("joined", ())).await?;
    wait_for::<Go>("go").await;
    Ok(squares.into_iter().sum())
}

async fn a_join_of_a_hundred_steps_gives_every_result_in_order(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<hundred_steps>().start().await?;
    hundred_steps::create(&engine).id("squares").await?;
    stage.witness.ran("joined", 1).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<hundred_steps>().start().await?;
    let instance = hundred_steps::get(&engine, "squares").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 328_350);
    assert_eq!(stage.witness.count("square"), 100);
    Ok(())
}

#[workflow]
async fn each_twice(numbers: Vec<u64>, #[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    let (extra, text) = (10, String::from("flaky"));
    let steps = numbers.into_iter().map(|number| {
        let more = number + extra;
        step!("flaky", key = number, retries = 1, witness.flaky(&format!("{text} {number}"), 1, more))
    });
    let groups = (0..2_u64).map(|number| {
        group!("pair", key = number, { Ok(step!("in a pair", witness.ok(&format!("pair {number}"), number)).await?) })
    });
    let (mut all, pairs) = join!(try_join_all(steps), try_join_all(groups)).await;
    all.iter_mut().for_each(|sums| sums.extend(pairs.iter().flatten()));
    Ok(all?)
}

async fn a_step_takes_the_variables_of_its_closure_along_to_every_attempt(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<each_twice>().start().await?;
    assert_eq!(each_twice::create(&engine, vec![1, 2]).await?.result().await?, [11, 12, 0, 1]);
    let ran = ["flaky 1", "flaky 2", "pair 0", "pair 1"].map(|what| stage.witness.count(what));
    assert_eq!(ran, [2, 2, 1, 1]);
    Ok(())
}

#[workflow]
async fn different_things(#[resource] witness: &Witness) -> workflow::Result<(u64, u64, u64)> {
    let (step, (), go, block) =
        join!(step!("step", witness.ok("step", 1)), sleep(100ms), wait_for::<Go>("go"), async {
            sleep(50ms).await;
            step!("in a block", witness.ok("in a block", 4)).await
        },)
        .await;
    Ok((step?, go.number, block?))
}

async fn a_join_of_different_things_waits_for_all(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<different_things>().start().await?;
    let instance = different_things::create(&engine).await?;
    stage.witness.ran("in a block", 1).await;
    assert!(!instance.status().await?.state.is_final());
    instance.send(Go { number: 3 }).await?;
    assert_eq!(instance.result().await?, (1, 3, 4));
    Ok(())
}

#[workflow]
async fn one_fails(#[resource] witness: &Witness) -> workflow::Result<String> {
    let outcome = try_join!(
        step!("slow", witness.held_until_dropped("slow")),
        step!("fails", witness.fails("fails")),
        step!("well", witness.ok("well", ())),
    )
    .await;
    let error = outcome.expect_err("one of them fails");
    step!("after", witness.ok("after", ())).await?;
    Ok(error.name().to_owned())
}

async fn a_try_join_stops_at_the_first_error_and_drops_the_rest(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<one_fails>().start().await?;
    assert_eq!(one_fails::create(&engine).await?.result().await?, "fails");
    assert_eq!((stage.witness.count("slow"), stage.witness.count("slow dropped")), (1, 1));
    Ok(())
}

#[workflow]
async fn meets(#[resource] witness: &Witness) -> workflow::Result<()> {
    try_join!(step!("left", witness.held("left", ())), step!("right", witness.held("right", ()))).await?;
    Ok(())
}

async fn bodies_of_a_join_run_at_the_same_time(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<meets>().start().await?;
    let instance = meets::create(&engine).await?;
    stage.witness.ran("left", 1).await;
    stage.witness.ran("right", 1).await;
    stage.witness.open("right");
    stage.witness.open("left");
    instance.result().await?;
    Ok(())
}
