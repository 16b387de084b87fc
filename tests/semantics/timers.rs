//! Timers: never early, never lost, moved by pauses.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    sleep_until_a_time_that_passes_in_a_pause_does_not_fail,
    sleep_until_a_time_long_past_returns_at_once,
    a_pause_lengthens_a_sleep_by_as_long_as_it_lasts,
    a_pause_lengthens_a_timeout_by_as_long_as_it_lasts,
    a_timer_that_is_due_while_no_worker_runs_fires_when_one_does,
    many_sleeps_wake_each_at_its_time,
    a_sleep_after_a_body_that_held_the_thread_is_as_long_as_asked_for,
    a_body_that_held_the_thread_past_a_deadline_loses_to_it,
    a_timeout_around_an_operation_gives_up_and_leaves_nothing,
    a_timeout_that_is_not_needed_changes_nothing,
);

#[workflow]
async fn sleeps_until_soon(#[resource] witness: &Witness) -> workflow::Result<SystemTime> {
    let wake = now().await + Duration::from_millis(300);
    sleep_until(wake).await;
    step!("awake", witness.ok("awake", ())).await?;
    wait_for::<Go>("go").await;
    Ok(wake)
}

/// A server that was compared ended such an instance: "you can't sleep until a time in the past".
async fn sleep_until_a_time_that_passes_in_a_pause_does_not_fail(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps_until_soon>().start().await?;
    let before = SystemTime::now();
    let instance = sleeps_until_soon::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    wait::moment(Instant::now() + Duration::from_millis(400)).await;
    instance.resume().await?;
    stage.witness.ran("awake", 1).await;

    // And again, paused in the wait that follows the sleep.
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    instance.resume().await?;
    instance.send(Go { number: 1 }).await?;
    assert!(instance.result().await? >= before + Duration::from_millis(299));
    assert_eq!(stage.witness.count("awake"), 1);
    Ok(())
}

#[workflow]
async fn sleeps_until_the_past() {
    sleep_until(SystemTime::UNIX_EPOCH).await;
    sleep(0s).await;
}

async fn sleep_until_a_time_long_past_returns_at_once(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps_until_the_past>().start().await?;
    sleeps_until_the_past::create(&engine).await?.result().await?;
    Ok(())
}

#[workflow]
async fn naps(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("before", witness.ok("before", ())).await?;
    sleep(600ms).await;
    step!("after", witness.ok("after", ())).await?;
    Ok(())
}

async fn a_pause_lengthens_a_sleep_by_as_long_as_it_lasts(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<naps>().start().await?;
    let instance = naps::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    let paused = Instant::now();
    wait::moment(paused + Duration::from_millis(700)).await;
    let paused_for = paused.elapsed();
    instance.resume().await?;
    instance.result().await?;
    let slept = stage.witness.times("after")[0] - stage.witness.times("before")[0];
    // A millisecond for the rounding of each end.
    assert!(slept + Duration::from_millis(2) >= Duration::from_millis(600) + paused_for, "{slept:?} {paused_for:?}");
    Ok(())
}

#[workflow]
async fn waits_half_a_second() -> Option<u64> {
    wait_for::<Go>("go").timeout(500ms).await.ok().map(|go| go.number)
}

async fn a_pause_lengthens_a_timeout_by_as_long_as_it_lasts(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_half_a_second>().start().await?;
    let instance = waits_half_a_second::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    let paused = Instant::now();
    wait::moment(paused + Duration::from_millis(600)).await;
    instance.send(Go { number: 3 }).await?;
    instance.resume().await?;
    assert_eq!(instance.result().await?, Some(3), "the timeout passed while nothing could happen");
    Ok(())
}

async fn a_timer_that_is_due_while_no_worker_runs_fires_when_one_does(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<naps>().start().await?;
    let instance = naps::create(&engine).id("nap").await?;
    wait::state(&instance, State::Waiting).await;
    stage.stop(engine).await;
    wait::moment(stage.witness.times("before")[0] + Duration::from_millis(700)).await;
    assert_eq!(stage.witness.count("after"), 0);
    let engine = stage.builder().only::<naps>().start().await?;
    naps::get(&engine, "nap").await?.result().await?;
    assert_eq!(stage.witness.notes(), ["before", "after"]);
    Ok(())
}

#[workflow]
async fn sleeps_for(millis: u64, #[resource] witness: &Witness) -> workflow::Result<()> {
    let (before, after) = (format!("before {millis}"), format!("after {millis}"));
    step!("before", witness.ok(&before, ())).await?;
    sleep(Duration::from_millis(millis)).await;
    step!("after", witness.ok(&after, ())).await?;
    Ok(())
}

async fn many_sleeps_wake_each_at_its_time(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps_for>().start().await?;
    let lengths: Vec<u64> = (0..40).map(|number| 50 + number * 17 % 600).collect();
    let items = lengths.iter().map(|millis| sleeps_for::new(*millis));
    for instance in sleeps_for::create_batch(&engine, items).await? {
        instance?.result().await?;
    }
    for millis in lengths {
        let before = stage.witness.times(&format!("before {millis}"))[0];
        let slept = stage.witness.times(&format!("after {millis}"))[0] - before;
        assert!(
            slept + Duration::from_millis(1) >= Duration::from_millis(millis),
            "woken early: {slept:?} of {millis}"
        );
    }
    Ok(())
}

/// A body as it should not be written, and is.
#[expect(clippy::disallowed_methods, reason = "it holds the thread on purpose")]
fn hold_the_thread() {
    std::thread::sleep(Duration::from_millis(300));
}

#[workflow]
async fn blocks_then_sleeps(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("before", async {
        hold_the_thread();
        witness.ok("before", ()).await
    })
    .await?;
    sleep(200ms).await;
    step!("after", witness.ok("after", ())).await?;
    Ok(())
}

async fn a_sleep_after_a_body_that_held_the_thread_is_as_long_as_asked_for(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<blocks_then_sleeps>().start().await?;
    blocks_then_sleeps::create(&engine).await?.result().await?;
    let slept = stage.witness.times("after")[0] - stage.witness.times("before")[0];
    assert!(slept >= Duration::from_millis(200), "woken early: {slept:?}");
    Ok(())
}

#[workflow]
async fn blocks_in_a_race() -> workflow::Result<bool> {
    let slow = step!("slow", async {
        hold_the_thread();
        Ok::<_, std::convert::Infallible>(())
    });
    Ok(timeout(50ms, slow).await.is_ok())
}

async fn a_body_that_held_the_thread_past_a_deadline_loses_to_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<blocks_in_a_race>().start().await?;
    let in_time = blocks_in_a_race::create(&engine).await?.result().await?;
    assert!(!in_time);
    Ok(())
}

#[workflow]
async fn gives_up(#[resource] witness: &Witness) -> workflow::Result<(bool, bool, u64)> {
    let slow = timeout(100ms, step!("slow", witness.held_until_dropped("slow"))).await;
    let never = timeout(100ms, wait_for::<Go>("never")).await;
    step!("gave up", witness.ok("gave up", ())).await?;
    let later = wait_for::<Go>("later").await;
    Ok((slow.is_err(), never.is_err(), later.number))
}

async fn a_timeout_around_an_operation_gives_up_and_leaves_nothing(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<gives_up>().start().await?;
    let instance = gives_up::create(&engine).await?;
    stage.witness.ran("gave up", 1).await;
    instance.send(Go { number: 6 }).await?;
    assert_eq!(instance.result().await?, (true, true, 6), "a wait that gave up takes no event");
    assert_eq!(stage.witness.notes(), ["slow", "slow dropped", "gave up"], "its body is dropped, not left running");
    Ok(())
}

#[workflow]
async fn in_time(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(timeout(1h, step!("quick", witness.ok("quick", 5))).await??)
}

async fn a_timeout_that_is_not_needed_changes_nothing(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<in_time>().start().await?;
    assert_eq!(in_time::create(&engine).await?.result().await?, 5);
    Ok(())
}
