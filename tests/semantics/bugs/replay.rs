//! B2, B3, B12, B13, B21, B26: what a replay gives is what the first pass gave.

use std::collections::BTreeMap;
use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    b02_a_caught_step_error_is_the_same_error_after_a_replay,
    b03_a_caught_timeout_is_a_timeout_after_a_replay,
    b12_a_step_in_a_loop_gives_each_of_its_own_results,
    b13_a_group_that_is_tried_again_runs_its_failed_child_again,
    b21_results_have_the_same_value_live_and_replayed,
    b26_a_wait_inside_a_group_resumes_inside_it,
);

#[workflow]
async fn declined(#[resource] witness: &Witness) -> workflow::Result<(String, String)> {
    let seen = match step!("charge", witness.fails("charge")).typed().await {
        Ok(()) => "paid".to_owned(),
        Err(failure) => format!("{failure}; {:?}", failure.error()),
    };
    let live = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

/// The model gave the error back as a value, so the workflow took the other branch.
async fn b02_a_caught_step_error_is_the_same_error_after_a_replay(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<declined>().start().await?;
    wait::state(&declined::create(&engine).id("order").await?, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<declined>().start().await?;
    let instance = declined::get(&engine, "order").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    assert!(replayed.contains("Oops") && replayed.contains("execution: 1"), "the user's own error: {replayed}");
    assert_eq!((stage.witness.count("charge"), stage.witness.count("remember")), (1, 1));
    Ok(())
}

#[workflow]
async fn late_payment(#[resource] witness: &Witness) -> workflow::Result<(String, String)> {
    let seen = match wait_for::<Go>("payment").timeout(100ms).await {
        Ok(go) => format!("paid {}", go.number),
        Err(timed_out) => format!("{timed_out:?}"),
    };
    let live = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

/// The model gave a replayed wait no payload instead of its timeout.
async fn b03_a_caught_timeout_is_a_timeout_after_a_replay(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<late_payment>().start().await?;
    let instance = late_payment::create(&engine).id("order").await?;
    stage.witness.ran("remember", 1).await;
    wait::state(&instance, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<late_payment>().start().await?;
    let instance = late_payment::get(&engine, "order").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    assert!(replayed.starts_with("TimedOut") && replayed.contains("payment"), "{replayed}");
    Ok(())
}

#[workflow]
async fn looping(#[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    let mut results = Vec::new();
    while results.len() < 3 {
        let number = results.len() as u64;
        results.push(step!("counted", witness.ok("counted", number)).await?);
    }
    for number in [10, 11, 12] {
        results.push(step!("keyed", key = number, witness.ok("keyed", number)).await?);
    }
    wait_for::<Go>("go").await;
    Ok(results)
}

/// The model gave every turn of a loop the first turn's result.
async fn b12_a_step_in_a_loop_gives_each_of_its_own_results(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<looping>().start().await?;
    wait::state(&looping::create(&engine).id("loop").await?, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<looping>().start().await?;
    let instance = looping::get(&engine, "loop").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, [0, 1, 2, 10, 11, 12]);
    assert_eq!((stage.witness.count("counted"), stage.witness.count("keyed")), (3, 3));
    Ok(())
}

#[workflow]
async fn parent_retries(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let sum = group!("prepare", retries = 2, delay = 10ms, {
        let one = step!("steady", witness.ok("steady", 1)).await?;
        let two = step!("shaky", witness.flaky("shaky", 2, 2)).await?;
        Ok(one + two)
    })
    .await?;
    Ok(sum)
}

/// In the model the child returned its error as a value when the parent was tried again.
async fn b13_a_group_that_is_tried_again_runs_its_failed_child_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<parent_retries>().start().await?;
    assert_eq!(parent_retries::create(&engine).await?.result().await?, 3);
    assert_eq!(stage.witness.count("shaky"), 3, "the failed child runs again");
    assert_eq!(stage.witness.count("steady"), 1, "the finished child is replayed");
    Ok(())
}

/// Values that a careless copy would change: a moment, nothing, a map, what is left out of the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Odd {
    at: SystemTime,
    nothing: Option<u64>,
    unit: (),
    map: BTreeMap<u64, Vec<String>>,
    fraction: f64,
    #[serde(skip)]
    left_out: String,
}

impl Odd {
    fn new() -> Self {
        Self {
            at: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_891_234_567_891),
            nothing: None,
            unit: (),
            map: BTreeMap::from([(7, vec!["seven".to_owned()]), (u64::MAX, Vec::new())]),
            fraction: 0.1 + 0.2,
            left_out: "only in memory".to_owned(),
        }
    }
}

#[workflow]
async fn odd_values(#[resource] witness: &Witness) -> workflow::Result<(String, String)> {
    let seen = format!("{:?}", step!("odd", witness.ok("odd", Odd::new())).await?);
    let live = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

/// The model gave the live object first and its JSON copy after a replay: dates became text.
async fn b21_results_have_the_same_value_live_and_replayed(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<odd_values>().start().await?;
    wait::state(&odd_values::create(&engine).id("odd").await?, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<odd_values>().start().await?;
    let instance = odd_values::get(&engine, "odd").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    let copy = Odd { left_out: String::new(), ..Odd::new() };
    assert_eq!(replayed, format!("{copy:?}"), "only what is not recorded is missing, live too");
    Ok(())
}

#[workflow]
async fn waits_inside(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let total = group!("approval", {
        let asked = step!("ask", witness.ok("ask", 100)).await?;
        let go = wait_for::<Go>("answer").await;
        let noted = step!("note", witness.ok("note", go.number)).await?;
        Ok(asked + noted)
    })
    .await?;
    step!("after", witness.ok("after", total)).await?;
    Ok(total)
}

/// The model's parent step cached the suspend signal as its value, and the workflow completed wrongly.
async fn b26_a_wait_inside_a_group_resumes_inside_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_inside>().start().await?;
    wait::state(&waits_inside::create(&engine).id("approval").await?, State::Waiting).await;
    stage.stop(engine).await;

    let engine = stage.builder().only::<waits_inside>().start().await?;
    let instance = waits_inside::get(&engine, "approval").await?;
    instance.send(Go { number: 11 }).await?;
    assert_eq!(instance.result().await?, 111);
    assert_eq!(stage.witness.notes(), ["ask", "note", "after"]);
    Ok(())
}
