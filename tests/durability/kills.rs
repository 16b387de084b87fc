//! SIGKILL at random moments.

use std::time::Duration;

use support::chance::Chance;
use support::load::{self, Paid, parcel};
use support::prelude::*;
use support::size::Amount;

use super::fleet::Fleet;

on_every_shared_store!(
    three_workers_killed_at_random_lose_nothing_and_repeat_at_most_one_step_a_kill,
    three_busy_workers_killed_at_random_lose_nothing,
    the_only_worker_killed_again_and_again_loses_nothing,
    an_instance_that_is_there_at_every_crash_is_named_and_set_aside,
);

/// Kills of one round.
const KILLS: usize = 12;
/// How many rounds of each.
const ROUNDS: Amount = Amount::of(1, 105, 420);

/// One body at a time in each worker, so that a kill interrupts one body at most.
async fn three_workers_killed_at_random_lose_nothing_and_repeat_at_most_one_step_a_kill(stage: Stage) -> TestResult {
    rounds(stage, "kills, one at a time", 1, 20).await
}

/// Many bodies at a time: a kill interrupts at most as many as a worker drives.
async fn three_busy_workers_killed_at_random_lose_nothing(stage: Stage) -> TestResult {
    rounds(stage, "kills, many at a time", 8, 40).await
}

/// The only worker, killed again and again: the next process goes on where it stood.
async fn the_only_worker_killed_again_and_again_loses_nothing(stage: Stage) -> TestResult {
    let mut chance = Chance::new("kills of the only worker");
    let mut fleet = Fleet::new(stage, 1, Duration::from_millis(20)).await;
    let parcels = fleet.create(6, false).await?;
    fleet.start_worker();
    let mut kills = 0;
    while kills < 6 && parcels.ended().await? < 6 {
        let more = fleet.effects().len() + usize::try_from(chance.within(1..8))?;
        ran_or_ended(&mut fleet, more).await;
        wait::moment(Instant::now() + chance.millis(0..25)).await;
        fleet.replace_worker(0);
        kills += 1;
    }
    parcels.results(&fleet).await.check(&fleet, kills);
    parcels.check_journals().await?;
    fleet.check_store().await
}

/// As a poison pill would: each worker that comes to it dies in the same body.
async fn an_instance_that_is_there_at_every_crash_is_named_and_set_aside(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 4, Duration::from_secs(3_600)).await;
    let pill = parcel::create(&fleet.client, 1, false).id("pill").await?;
    pill.send(Paid { amount: 2 }).await?;
    fleet.start_worker();
    // The first crash makes it a suspect, each later one counts.
    for kill in 0..4 {
        wait::until("the body runs", async || (fleet.effects().len() > kill).then_some(())).await;
        fleet.replace_worker(0);
    }
    let status = wait::state(&pill, State::Paused).await;
    let reason = status.paused.map(|paused| paused.reason);
    assert_eq!(reason, Some(PauseReason::Quarantined { crashes: 3 }));
    let log = fleet.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("tried this instance alone")).collect();
    assert_eq!(said.len(), 2, "at the second trial, and the third: {log}");
    assert!(said.iter().all(|line| line.contains("instance=pill") && line.contains("resumes it")), "{said:?}");
    // Others go on, and it does once somebody has seen to it.
    fleet.setup.step_time = Duration::from_millis(1);
    fleet.replace_worker(0);
    let other = parcel::create(&fleet.client, 2, false).await?;
    other.send(Paid { amount: 2 }).await?;
    assert_eq!(other.result_within(wait::PATIENCE).await?, load::total(2, 2));
    pill.resume().await?;
    assert_eq!(pill.result_within(wait::PATIENCE).await?, load::total(1, 2));
    fleet.check_workers();
    Ok(())
}

/// Again and again, each time on a store of its own.
async fn rounds(stage: Stage, test: &str, concurrency: usize, instances: u64) -> TestResult {
    let mut chance = Chance::new(test);
    let kind = stage.kind;
    kill_at_random(stage, &mut chance, concurrency, instances).await?;
    for _ in 1..ROUNDS.wanted() {
        kill_at_random(Stage::new(kind).await, &mut chance, concurrency, instances).await?;
    }
    Ok(())
}

async fn kill_at_random(stage: Stage, chance: &mut Chance, concurrency: usize, instances: u64) -> TestResult {
    let mut fleet = Fleet::new(stage, concurrency, Duration::from_millis(15)).await;
    for _ in 0..3 {
        fleet.start_worker();
    }
    let mut parcels = fleet.create(instances, concurrency > 1).await?;
    for _ in 0..KILLS {
        let more = fleet.effects().len() + usize::try_from(chance.within(1..12))?;
        ran_or_ended(&mut fleet, more).await;
        wait::moment(Instant::now() + chance.millis(0..40)).await;
        fleet.check_workers();
        // Whoever is killed has something to do.
        if parcels.ended().await? + usize::try_from(instances / 2)? > parcels.count() {
            fleet.create_more(&mut parcels, instances / 2, concurrency > 1).await?;
        }
        fleet.replace_worker(chance.index(3));
    }
    // A body may also have been started again by a wide join: two of one instance at a time.
    let bodies_at_a_time = if concurrency > 1 { 2 * concurrency } else { 1 };
    parcels.results(&fleet).await.check(&fleet, KILLS * bodies_at_a_time);
    parcels.check_journals().await?;
    fleet.check_store().await
}

/// Waits until `lines` bodies have run, or all that ever will.
async fn ran_or_ended(fleet: &mut Fleet, lines: usize) {
    let give_up = Instant::now() + Duration::from_secs(5);
    let reached = async || (fleet.effects().len() >= lines || Instant::now() > give_up).then_some(());
    wait::until("more bodies ran", reached).await;
}
