//! Limits that hold across all workers.

use support::overhear::Starts;
use support::prelude::*;
use support::stage::SHORT_LEASE;
use support::witness::Go;
use support::{on_every_store, wait};

on_every_store!(
    three_workers_together_drive_no_more_than_the_limit,
    what_waits_holds_no_slot_of_a_limit,
    what_is_over_the_limit_is_in_nobodys_way,
    no_span_has_more_starts_than_the_rate,
    what_is_woken_is_not_held_up_by_the_rate,
    a_run_that_needs_a_slot_and_a_start_gets_both,
    the_slots_of_a_worker_that_crashed_come_back,
);

/// One step, which the test holds.
#[workflow]
async fn limited(name: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("work", witness.busy(&name)).await?;
    Ok(())
}

/// The same, of which there is no limit.
#[workflow]
async fn free(name: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("work", witness.ok(&name, ())).await?;
    Ok(())
}

/// Two steps with a wait between them.
#[workflow]
async fn limited_and_waits(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("before", witness.busy("work")).await?;
    wait_for::<Go>("go").await;
    step!("after", witness.busy("work")).await?;
    Ok(())
}

/// A step in a queue of its own.
#[workflow(queue = "mail")]
async fn mail(name: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("send", witness.ok(&name, ())).await?;
    Ok(())
}

async fn three_workers_together_drive_no_more_than_the_limit(stage: Stage) -> TestResult {
    let builder = || stage.builder().only::<limited>().workflow_concurrency::<limited>(2);
    let (one, two, three) = (builder().start().await?, builder().start().await?, builder().start().await?);
    let mut instances = Vec::new();
    for turn in 0..8 {
        // By engines that could start them at once themselves.
        for engine in [&one, &two, &three] {
            instances.push(limited::create(engine, "work".to_owned()).id(format!("{turn}-{}", instances.len())).await?);
        }
    }
    // As many as there may be; the others could start now, if anything let them.
    stage.witness.ran("work", 2).await;
    stage.witness.open("work");
    for instance in &instances {
        instance.result().await?;
    }
    assert_eq!(stage.witness.most_at_once("work"), 2);
    assert_eq!(stage.witness.count("work"), instances.len());
    Ok(())
}

async fn what_waits_holds_no_slot_of_a_limit(stage: Stage) -> TestResult {
    let engine =
        stage.builder().only::<limited_and_waits>().workflow_concurrency::<limited_and_waits>(1).start().await?;
    stage.witness.open("work");
    let mut instances = Vec::new();
    for _ in 0..4 {
        instances.push(limited_and_waits::create(&engine).await?);
    }
    // All of them, although only one may be driven at a time.
    wait::states(&instances, State::Waiting).await;
    for instance in &instances {
        instance.send(Go { number: 1 }).await?;
    }
    for instance in &instances {
        instance.result().await?;
    }
    assert_eq!(stage.witness.most_at_once("work"), 1);
    Ok(())
}

async fn what_is_over_the_limit_is_in_nobodys_way(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    limited::create_batch(&client, (0..1_000).map(|_| limited::new("work".to_owned()))).await?;
    let worker =
        stage.builder().concurrency(4).only::<(limited, free)>().workflow_concurrency::<limited>(1).start().await?;
    stage.witness.ran("work", 1).await;
    // Behind all of them, in the same queue.
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(free::create(&client, "free".to_owned()).await?);
    }
    for other in &others {
        other.result().await?;
    }
    assert_eq!((stage.witness.count("free"), stage.witness.count("work")), (20, 1));
    let limits = worker.health().worker.expect("it executes").limits;
    assert_eq!((limits.len(), limits[0].limit.as_str(), limits[0].in_use), (1, "workflow limited", 1));
    Ok(())
}

async fn no_span_has_more_starts_than_the_rate(stage: Stage) -> TestResult {
    let (starts, span) = (Starts::default(), Duration::from_millis(300));
    let mut engines = Vec::new();
    for _ in 0..3 {
        let store = starts.of(stage.store().await);
        let builder = stage.builder().store(store).only::<mail>().rate_limit("mail", 4, span);
        engines.push(builder.start().await?);
    }
    let mut instances = Vec::new();
    for number in 0..15 {
        instances.push(mail::create(&engines[number % 3], "sent".to_owned()).await?);
    }
    for instance in &instances {
        instance.result().await?;
    }
    assert_eq!(starts.sorted().len(), 15, "each was started once, and none past a claim");
    assert!(starts.most_within(span) <= 4, "{:?}", starts.sorted());
    Ok(())
}

async fn what_is_woken_is_not_held_up_by_the_rate(stage: Stage) -> TestResult {
    let day = Duration::from_secs(24 * 60 * 60);
    let engine = stage.builder().only::<limited_and_waits>().rate_limit("default", 1, day).start().await?;
    stage.witness.open("work");
    let one = limited_and_waits::create(&engine).await?;
    let other = limited_and_waits::create(&engine).await?;
    let is_waiting = async |instance: &Handle<limited_and_waits>| {
        instance.status().await.is_ok_and(|status| status.state == State::Waiting)
    };
    let one_is_first = wait::until("one of them waits", async || match is_waiting(&one).await {
        true => Some(true),
        false => is_waiting(&other).await.then_some(false),
    })
    .await;
    let (first, second) = if one_is_first { (one, other) } else { (other, one) };
    first.send(Go { number: 1 }).await?;
    first.result().await?;
    // There is no start left for the second for a day.
    assert_eq!(second.status().await?.state, State::Queued);
    Ok(())
}

async fn a_run_that_needs_a_slot_and_a_start_gets_both(stage: Stage) -> TestResult {
    let span = Duration::from_millis(100);
    let builder = || stage.builder().only::<mail>().rate_limit("mail", 2, span).workflow_concurrency::<mail>(1);
    let (one, two) = (builder().start().await?, builder().start().await?);
    let mut instances = Vec::new();
    for _ in 0..4 {
        for engine in [&one, &two] {
            instances.push(mail::create(engine, "sent".to_owned()).await?);
        }
    }
    for instance in &instances {
        instance.result().await?;
    }
    assert_eq!(stage.witness.count("sent"), 8);
    Ok(())
}

async fn the_slots_of_a_worker_that_crashed_come_back(stage: Stage) -> TestResult {
    let builder = || stage.builder().lease(SHORT_LEASE).only::<limited>().workflow_concurrency::<limited>(1);
    let lost = stage.crashable(builder()).await;
    let first = limited::create(&lost, "work".to_owned()).id("first").await?;
    stage.witness.ran("work", 1).await;
    drop(first);
    lost.crash();
    let engine = builder().start().await?;
    let second = limited::create(&engine, "work".to_owned()).id("second").await?;
    stage.witness.open("work");
    second.result().await?;
    limited::get(&engine, "first").await?.result().await?;
    assert_eq!(stage.witness.most_at_once("work"), 1);
    Ok(())
}
