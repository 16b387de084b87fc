//! B1, B20, B22, B25: time.

use support::prelude::*;

on_every_store!(
    b01_two_sleeps_take_the_sum_of_both,
    b20_each_backoff_begins_with_the_delay_itself,
    b22_waiting_instances_hold_no_slot,
    b25_a_crash_or_an_early_event_in_a_sleep_keeps_its_wake_time,
);

#[workflow]
async fn two_sleeps() {
    sleep(400ms).await;
    sleep(400ms).await;
}

/// The model's second sleep returned at once.
async fn b01_two_sleeps_take_the_sum_of_both(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<two_sleeps>().start().await?;
    let begun = Instant::now();
    two_sleeps::create(&engine).await?.result().await?;
    assert!(begun.elapsed() >= Duration::from_millis(800), "woken early: {:?}", begun.elapsed());
    Ok(())
}

#[workflow]
async fn three_backoffs(run: u32, #[resource] witness: &Witness) -> workflow::Result<()> {
    let [one, two, three] = ["constant", "linear", "exponential"].map(|backoff| format!("{backoff} {run}"));
    step!("constant", retries = 2, delay = 400ms, backoff = constant, witness.flaky(&one, 2, ())).await?;
    step!("linear", retries = 2, delay = 400ms, backoff = linear, witness.flaky(&two, 2, ())).await?;
    step!("exponential", retries = 2, delay = 400ms, backoff = exponential, witness.flaky(&three, 2, ())).await?;
    Ok(())
}

/// The model's first delay of a growing backoff was twice the documented one.
async fn b20_each_backoff_begins_with_the_delay_itself(stage: Stage) -> TestResult {
    // What is due is counted from the latest time that it can be in the store, which is far from the earliest where an answer
    // took long: then the next run tells.
    const RUNS: u32 = 5;
    let engine = stage.builder().only::<three_backoffs>().start().await?;
    let mut longest = Duration::MAX;
    for run in 1..=RUNS {
        let instance = three_backoffs::create(&engine, run).await?;
        instance.result().await?;
        longest = longest.min(delays_beyond(&instance.history().await?, &stage.witness, run)?);
        if longest < DELAY {
            return Ok(());
        }
    }
    panic!("in {RUNS} runs a retry was due {longest:?} late at least");
}

const DELAY: Duration = Duration::from_millis(400);

/// By how much the delays of a run were longer than they were to be, the worst of them. None is shorter.
fn delays_beyond(
    history: &workflow::History,
    witness: &Witness,
    run: u32,
) -> Result<Duration, std::time::SystemTimeError> {
    let mut longest = Duration::ZERO;
    for (step, delays) in [("constant", [1, 1]), ("linear", [1, 2]), ("exponential", [1, 2])] {
        let times = witness.times(&format!("{step} {run}"));
        let operation = history.operations.iter().find(|o| o.name == step).expect("every step is in the history");
        assert_eq!((times.len(), operation.failed_attempts.len()), (3, 2));
        for (index, delay) in delays.into_iter().map(|times| DELAY * times).enumerate() {
            let gap = times[index + 1] - times[index];
            assert!(gap >= delay, "{step} was tried again after {gap:?}, not {delay:?}");
            let attempt = &operation.failed_attempts[index];
            let planned = attempt.retry_at.expect("it was tried again").duration_since(attempt.at)?;
            assert!(planned >= delay, "{step}: {planned:?} planned, not {delay:?}");
            longest = longest.max(planned - delay);
        }
    }
    Ok(longest)
}

#[workflow]
async fn waits_for_long() {
    wait_for::<Go>("go").await;
}

#[workflow]
async fn short_one() -> u64 {
    7
}

/// In the model twenty-five waiting instances kept the next one from its slot for 25 s.
async fn b22_waiting_instances_hold_no_slot(stage: Stage) -> TestResult {
    let engine = stage.builder().concurrency(5).only::<(waits_for_long, short_one)>().start().await?;
    let mut waiting = Vec::new();
    for _ in 0..25 {
        waiting.push(waits_for_long::create(&engine).await?);
    }
    wait::states(&waiting, State::Waiting).await;
    assert_eq!(short_one::create(&engine).await?.result().await?, 7);
    wait::states(&waiting, State::Waiting).await;
    Ok(())
}

#[workflow]
async fn long_sleep(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("before", witness.ok("before", ())).await?;
    sleep(2s).await;
    step!("after", witness.ok("after", ())).await?;
    Ok(())
}

/// The model skipped the rest of a sleep after a crash, or when anything else woke the instance.
async fn b25_a_crash_or_an_early_event_in_a_sleep_keeps_its_wake_time(stage: Stage) -> TestResult {
    let builder = stage.builder().lease(stage::SHORT_LEASE).only::<long_sleep>();
    let crashing = stage.crashable(builder).await;
    let instance = long_sleep::create(&crashing).id("sleeper").await?;
    wait::state(&instance, State::Waiting).await;
    drop(instance);
    crashing.crash();

    let engine = stage.builder().only::<long_sleep>().start().await?;
    let instance = long_sleep::get(&engine, "sleeper").await?;
    instance.send(Go { number: 1 }).await?;
    instance.result().await?;
    let slept = stage.witness.times("after")[0] - stage.witness.times("before")[0];
    assert!(slept >= Duration::from_secs(2), "woken early: {slept:?}");
    assert_eq!((stage.witness.count("before"), stage.witness.count("after")), (1, 1));
    Ok(())
}
