//! Runs compared with their replays when they end: what no compiler can see is found out, and what is honest is not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use support::prelude::*;
use workflow::ResultError;
use workflow::journal::divergence::Traces;

on_every_store!(
    a_step_that_a_static_names_parks_with_both_traces_until_the_code_is_corrected,
    an_order_that_a_static_decides_parks,
    an_output_that_a_static_decides_reaches_nobody,
    a_replay_that_hangs_or_panics_parks,
    a_run_is_not_compared_where_that_is_not_asked_for,
    a_run_that_another_worker_began_is_compared_as_a_whole,
    a_workflow_of_everything_ends_as_ever,
);

/// What the workflows below remember, by the name of the pass: no compiler sees it.
static PASSES: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

/// For names that differ between the stores that a test runs on at the same time.
static NAMES: AtomicU64 = AtomicU64::new(0);

fn fresh_name() -> String {
    format!("run-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

/// How often this was called for this name before.
fn pass(name: &str) -> u64 {
    let mut passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
    let count = passes.get_or_insert_default().entry(name.to_owned()).or_default();
    *count += 1;
    *count - 1
}

fn passes(name: &str) -> u64 {
    let passes = PASSES.lock().unwrap_or_else(PoisonError::into_inner);
    passes.as_ref().and_then(|passes| passes.get(name)).copied().unwrap_or_default()
}

/// Why an instance is parked: from its status, and as who waits for the result is told.
async fn parked<W: Subject>(instance: &Handle<W>) -> (String, Traces) {
    let status = wait::state(instance, State::Paused).await;
    let divergence = match status.paused.expect("a paused instance says why").reason {
        PauseReason::Divergence(divergence) => *divergence,
        other => panic!("parked for another reason: {other:?}"),
    };
    match instance.result_within(wait::PATIENCE).await {
        Err(ResultError::Differs(told)) => assert_eq!(*told, divergence),
        _ => panic!("who waits for the result is not told: {divergence}"),
    }
    let traces = divergence.traces.expect("both traces are shown");
    (divergence.message, traces)
}

mod cheating {
    use super::{pass, passes};
    use support::prelude::*;

    #[workflow(name = "charges")]
    pub(super) async fn charges(name: String, #[resource] witness: &Witness) -> workflow::Result<u64> {
        let user = step!("fetch user", witness.ok("fetch user", 1)).await?;
        let charged = if pass(&name).is_multiple_of(2) {
            step!("charge", witness.ok("charge", 1)).await?
        } else {
            step!("charge card", witness.ok("charge", 1)).await?
        };
        Ok(user + charged)
    }

    #[workflow(name = "orders")]
    pub(super) async fn orders(name: String, #[resource] witness: &Witness) -> workflow::Result<u64> {
        let items = if pass(&name) == 0 { ["apple", "bread"] } else { ["bread", "apple"] };
        let reserved = items.into_iter().map(|item| step!("reserve", key = item, witness.ok(item, 1)));
        Ok(join_all(reserved).await.into_iter().sum::<Result<u64, _>>()?)
    }

    #[workflow(name = "numbers")]
    pub(super) async fn numbers(name: String, #[resource] witness: &Witness) -> workflow::Result<u64> {
        step!("once", witness.ok("once", ())).await?;
        Ok(pass(&name))
    }

    #[workflow(name = "stops")]
    pub(super) async fn stops(name: String, panics: bool, #[resource] witness: &Witness) -> workflow::Result<u64> {
        step!("once", witness.ok("once", ())).await?;
        if pass(&name) > 0 {
            assert!(!panics, "it is not as it was");
            wait_for::<Go>("never").await;
        }
        Ok(1)
    }

    #[workflow(name = "handed_over")]
    pub(super) async fn handed_over(name: String, #[resource] witness: &Witness) -> workflow::Result<u64> {
        let first = step!("first", witness.ok("first", 1)).await?;
        wait_for::<Go>("go").await;
        // The second worker does as the first did.
        let _seen = pass(&name);
        if passes(&name) <= 1 {
            step!("second", witness.ok("second", ())).await?;
        } else {
            step!("another", witness.ok("another", ())).await?;
        }
        Ok(first)
    }
}

mod corrected {
    use support::prelude::*;

    #[workflow(name = "charges")]
    pub(super) async fn charges(name: String, #[resource] witness: &Witness) -> workflow::Result<u64> {
        assert!(!name.is_empty(), "the input of before is read");
        let user = step!("fetch user", witness.ok("fetch user", 1)).await?;
        Ok(user + step!("charge", witness.ok("charge", 1)).await?)
    }
}

async fn a_step_that_a_static_names_parks_with_both_traces_until_the_code_is_corrected(stage: Stage) -> TestResult {
    let engine = stage.builder().verify_replay(VerifyReplay::Always).only::<cheating::charges>().start().await?;
    let instance = cheating::charges::create(&engine, fresh_name()).id("charged").await?;
    let (message, traces) = parked(&instance).await;
    assert!(message.contains("step \"charge\""), "{message}");
    assert!(traces.run[0].starts_with("  1. step \"fetch user\" complete (tests/semantics/verify.rs:"), "{traces}");
    assert!(traces.run[1].starts_with("> 2. step \"charge\" complete"), "{traces}");
    assert!(traces.replay[1].starts_with("> 2. step \"charge card\" not ended"), "{traces}");
    // A resume runs it again and ends where it was, no more.
    instance.resume().await?;
    parked(&instance).await;
    stage.stop(engine).await;

    let engine = stage.builder().verify_replay(VerifyReplay::Always).only::<corrected::charges>().start().await?;
    let instance = corrected::charges::get(&engine, "charged").await?;
    instance.resume().await?;
    assert_eq!(instance.result().await?, 2);
    assert_eq!(stage.witness.notes(), ["fetch user", "charge"], "no body ran in any replay");
    Ok(())
}

async fn an_order_that_a_static_decides_parks(stage: Stage) -> TestResult {
    let engine = stage.builder().verify_replay(VerifyReplay::Always).only::<cheating::orders>().start().await?;
    let instance = cheating::orders::create(&engine, fresh_name()).await?;
    let (message, _) = parked(&instance).await;
    let found = "operation 1 is step \"reserve\" [bread] where the run had step \"reserve\" [apple]";
    assert!(message.contains(found), "{message}");
    Ok(())
}

async fn an_output_that_a_static_decides_reaches_nobody(stage: Stage) -> TestResult {
    let engine = stage.builder().verify_replay(VerifyReplay::Always).only::<cheating::numbers>().start().await?;
    let instance = cheating::numbers::create(&engine, fresh_name()).await?;
    let (message, traces) = parked(&instance).await;
    assert!(message.contains("an output of 1 bytes, another one"), "{message}");
    assert_eq!(traces.run.last().map(String::as_str), Some("> an output of 1 bytes"));
    assert_eq!(instance.status().await?.output, None);
    Ok(())
}

async fn a_replay_that_hangs_or_panics_parks(stage: Stage) -> TestResult {
    let engine = stage.builder().verify_replay(VerifyReplay::Always).only::<cheating::stops>().start().await?;
    let hangs = cheating::stops::create(&engine, fresh_name(), false).await?;
    let (message, _) = parked(&hangs).await;
    assert!(message.contains("it asks for one operation more, wait \"never\""), "{message}");
    let panics = cheating::stops::create(&engine, fresh_name(), true).await?;
    let (message, _) = parked(&panics).await;
    assert!(message.contains("it panics (it is not as it was)"), "{message}");
    Ok(())
}

async fn a_run_is_not_compared_where_that_is_not_asked_for(stage: Stage) -> TestResult {
    for verify in [VerifyReplay::Never, VerifyReplay::Sampled(0.0)] {
        let engine = stage.builder().verify_replay(verify).only::<cheating::numbers>().start().await?;
        let name = fresh_name();
        assert_eq!(cheating::numbers::create(&engine, name.clone()).await?.result().await?, 0);
        stage.stop(engine).await;
        assert_eq!(passes(&name), 1, "{verify:?}");
    }
    let sampled = VerifyReplay::Sampled(1.0);
    let engine = stage.builder().verify_replay(sampled).only::<cheating::numbers>().start().await?;
    parked(&cheating::numbers::create(&engine, fresh_name()).await?).await;
    let refused = stage.builder().verify_replay(VerifyReplay::Sampled(1.5)).start().await;
    assert_eq!(refused.expect_err("more than all").code(), "option");
    Ok(())
}

async fn a_run_that_another_worker_began_is_compared_as_a_whole(stage: Stage) -> TestResult {
    let builder = || stage.builder().verify_replay(VerifyReplay::Always).only::<cheating::handed_over>();
    let first = builder().start().await?;
    wait::state(&cheating::handed_over::create(&first, fresh_name()).id("handed-over").await?, State::Waiting).await;
    stage.stop(first).await;
    let second = builder().start().await?;
    let instance = cheating::handed_over::get(&second, "handed-over").await?;
    instance.send(Go { number: 1 }).await?;
    let (_, traces) = parked(&instance).await;
    assert!(traces.run[0].contains("step \"first\" complete"), "the first worker's part is shown too: {traces}");
    assert!(traces.replay[2].starts_with("> 3. step \"another\""), "{traces}");
    assert_eq!(stage.witness.notes(), ["first", "second"]);
    Ok(())
}

#[workflow]
async fn errand(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("errand", witness.ok("errand", 2)).await?)
}

#[part]
async fn packed(item: &str, witness: &Witness) -> workflow::Result<u64> {
    let wrapped = step!("wrap", key = item, witness.ok("wrap", 1)).await?;
    Ok(wrapped + step!("label", key = item, witness.ok("label", 1)).await?)
}

#[workflow]
async fn everything(#[resource] witness: &Witness) -> workflow::Result<HashMap<String, u64>> {
    let began = now().await;
    let shaky = step!("shaky", retries = 3, delay = 10ms, witness.flaky("shaky", 2, 1)).await?;
    let failed = u64::from(step!("fails", witness.fails("fails")).typed().await.is_err());
    let grouped = group!("grouped", retries = 2, delay = 10ms, {
        let chance = random::<u64>().await;
        let steady = step!("steady", witness.ok("steady", chance)).await?;
        let unsteady = step!("unsteady", witness.flaky("unsteady", 1, 1)).await?;
        Ok(steady.min(1) + unsteady)
    })
    .await?;
    let raced = race! {
        one = step!("wins", witness.ok("wins", 1)) => one?,
        () = sleep(1h) => 0,
    }
    .await;
    let late = u64::from(timeout(20ms, step!("hangs", witness.held_until_dropped("hangs"))).await.is_err());
    let unpaid = u64::from(wait_for::<Go>("payment").timeout(20ms).await.is_err());
    let (child, ()) = join!(errand(witness), sleep(1ms)).await;
    let (left, right) = try_join!(step!("left", witness.ok("left", 1)), step!("right", witness.ok("right", 1))).await?;
    let paid = wait_for::<Go>("go").key("k").await.number;
    let mut packing = 0;
    for item in ["a", "b"] {
        packing += packed(item, witness).await?;
    }
    let changed = u64::from(changed("fees").await);
    let id = uuid().await.to_string();
    sleep(5ms).await;
    let lasted = u64::from(now().await > began);
    // As a map is written in another order each time, its order must not matter.
    let counts = [
        ("shaky", shaky),
        ("failed", failed),
        ("grouped", grouped),
        ("raced", raced),
        ("late", late),
        ("unpaid", unpaid),
        ("child", child?),
        ("both", left + right),
        ("paid", paid),
        ("packing", packing),
        ("changed", changed),
        ("lasted", lasted),
        (&id, info().await.run.into()),
    ];
    Ok(counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect())
}

async fn a_workflow_of_everything_ends_as_ever(stage: Stage) -> TestResult {
    let builder = || stage.builder().verify_replay(VerifyReplay::Always).only::<(everything, errand)>();
    let engine = builder().start().await?;
    let here = everything::create(&engine).id("here").await?;
    let moved = everything::create(&engine).id("moved").await?;
    here.send(Go { number: 7 }).key("k").await?;
    let counted = here.result().await?;
    assert_eq!((counted["paid"], counted["packing"], counted.len()), (7, 4, 13));
    // And with a worker that goes on where another stopped.
    wait::state(&moved, State::Waiting).await;
    stage.stop(engine).await;
    let engine = builder().sticky(0).start().await?;
    let moved = everything::get(&engine, "moved").await?;
    moved.send(Go { number: 8 }).key("k").await?;
    assert_eq!(moved.result().await?["paid"], 8);
    assert_eq!(engine.health().worker.expect("a worker").replay_differences, 0);
    Ok(())
}
