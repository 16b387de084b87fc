//! Errors: typed, the same after a replay, and stopping retries when they say so.

use support::prelude::*;

on_every_store!(
    a_workflow_gives_its_own_typed_error,
    any_error_keeps_its_class_message_step_and_chain,
    a_fatal_error_is_not_tried_again,
    an_error_that_unless_accepts_is_not_tried_again,
    a_typed_step_error_can_be_matched_live_and_replayed,
    a_panic_in_a_body_is_a_failed_attempt,
    a_panic_in_workflow_code_parks_the_instance,
);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
enum OrderError {
    #[error("the card was declined: {code}")]
    Declined { code: u32 },
    #[error("a step failed: {0}")]
    Step(String),
}

impl From<StepError> for OrderError {
    fn from(error: StepError) -> Self {
        Self::Step(error.to_string())
    }
}

#[workflow]
async fn typed_failure(in_a_step: bool, #[resource] witness: &Witness) -> Result<u64, OrderError> {
    if in_a_step {
        step!("charge", witness.fails("charge")).await?;
    }
    Err(OrderError::Declined { code: 51 })
}

async fn a_workflow_gives_its_own_typed_error(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<typed_failure>().start().await?;
    let own = typed_failure::create(&engine, false).await?.result().await;
    assert!(matches!(own, Err(ResultError::Failed(OrderError::Declined { code: 51 }))), "{own:?}");
    match typed_failure::create(&engine, true).await?.result().await {
        Err(ResultError::Failed(OrderError::Step(text))) => assert!(text.contains("charge"), "{text}"),
        other => panic!("not the step's error: {other:?}"),
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the shop is closed")]
struct Closed {
    #[source]
    why: std::num::ParseIntError,
}

fn closed() -> Result<(), Closed> {
    Err(Closed { why: "x".parse::<u32>().expect_err("not a number") })
}

#[workflow]
async fn untyped_failure() -> workflow::Result<()> {
    step!("open", async { closed() }).await?;
    Ok(())
}

async fn any_error_keeps_its_class_message_step_and_chain(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<untyped_failure>().start().await?;
    let instance = untyped_failure::create(&engine).await?;
    let Err(ResultError::Failed(error)) = instance.result().await else { panic!("it fails") };
    assert!(error.class().ends_with("Closed"), "{}", error.class());
    assert!(error.message().contains("the shop is closed"), "{}", error.message());
    assert_eq!(error.step(), Some("open"));
    assert!(error.chain().any(|cause| cause.contains("invalid digit")), "{error:?}");
    assert_eq!(instance.status().await?.state, State::Errored);
    Ok(())
}

#[workflow]
async fn fatal(#[resource] witness: &Witness) -> workflow::Result<(bool, u32)> {
    let outcome =
        step!("charge", retries = 5, delay = 10ms, async { witness.fails("charge").await.map_err(FatalError::fatal) })
            .await;
    let error = outcome.expect_err("it fails");
    Ok((error.is_fatal(), error.attempts()))
}

async fn a_fatal_error_is_not_tried_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<fatal>().start().await?;
    assert_eq!(fatal::create(&engine).await?.result().await?, (true, 1));
    assert_eq!(stage.witness.count("charge"), 1);
    Ok(())
}

fn second_time(error: &Oops) -> bool {
    error.execution == 2
}

#[workflow]
async fn stops_at_the_second(#[resource] witness: &Witness) -> workflow::Result<u32> {
    let outcome = step!("charge", retries = 5, delay = 10ms, unless = second_time, witness.fails("charge")).await;
    Ok(outcome.expect_err("it fails").attempts())
}

async fn an_error_that_unless_accepts_is_not_tried_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<stops_at_the_second>().start().await?;
    assert_eq!(stops_at_the_second::create(&engine).await?.result().await?, 2);
    assert_eq!(stage.witness.count("charge"), 2);
    Ok(())
}

#[workflow]
async fn matches_the_error(#[resource] witness: &Witness) -> workflow::Result<(usize, usize)> {
    let seen = match step!("charge", retries = 1, delay = 10ms, witness.fails("charge")).typed().await {
        Err(Failure::Failed { error, .. }) => error.execution,
        Err(other) => return Err(other.into()),
        Ok(()) => 0,
    };
    let live = step!("remember", witness.ok("remember", seen)).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

async fn a_typed_step_error_can_be_matched_live_and_replayed(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<matches_the_error>().start().await?;
    wait::state(&matches_the_error::create(&engine).id("typed").await?, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<matches_the_error>().start().await?;
    let instance = matches_the_error::get(&engine, "typed").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, (2, 2), "the error of the last attempt");
    Ok(())
}

#[workflow]
async fn panicking_body(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let outcome = step!("calm", retries = 1, delay = 10ms, async {
        assert!(witness.note("calm") > 1, "not yet calm");
        Ok::<_, Oops>(3)
    })
    .await?;
    Ok(outcome)
}

async fn a_panic_in_a_body_is_a_failed_attempt(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<panicking_body>().start().await?;
    assert_eq!(panicking_body::create(&engine).await?.result().await?, 3);
    assert_eq!(stage.witness.count("calm"), 2);
    Ok(())
}

#[workflow]
async fn panicking_code(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let number = step!("number", witness.ok("number", 0_u64)).await?;
    Ok(10_u64.checked_div(number).expect("the number is not zero"))
}

async fn a_panic_in_workflow_code_parks_the_instance(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<panicking_code>().start().await?;
    let instance = panicking_code::create(&engine).await?;
    let status = wait::state(&instance, State::Paused).await;
    let shown = format!("{status:?}");
    assert!(shown.contains("Panic") && shown.contains("the number is not zero"), "{shown}");
    // It stays as it is, and can be ended.
    instance.terminate("cannot be mended").await?;
    assert!(matches!(instance.result().await, Err(ResultError::Terminated { .. })));
    assert_eq!(stage.witness.count("number"), 1);
    Ok(())
}
