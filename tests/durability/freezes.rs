//! SIGSTOP for longer than the lease: a zombie wakes up and finds that it owns nothing.

use std::time::Duration;

use support::chance::Chance;
use support::load::{Paid, parcel};
use support::prelude::*;

use super::fleet::Fleet;

on_every_shared_store!(
    a_worker_frozen_in_a_body_writes_nothing_afterwards_and_works_on_with_a_new_session,
    workers_frozen_and_killed_at_random_lose_nothing,
);

async fn a_worker_frozen_in_a_body_writes_nothing_afterwards_and_works_on_with_a_new_session(
    stage: Stage,
) -> TestResult {
    let mut fleet = Fleet::new(stage, 1, Duration::from_secs(2)).await;
    fleet.start_worker();
    let instance = parcel::create(&fleet.client, 7, false).id("frozen").await?;
    instance.send(Paid { amount: 100 }).await?;
    wait::until("the first body runs", async || (!fleet.effects().is_empty()).then_some(())).await;
    fleet.workers[0].freeze();

    // Another worker, with quicker hands, takes over once the lease is over.
    fleet.setup.step_time = Duration::from_millis(5);
    fleet.start_worker();
    assert_eq!(instance.result_within(wait::PATIENCE).await?, support::load::total(7, 100));
    let done = instance.history().await?;
    let effects = fleet.effects();
    assert_eq!(effects.iter().filter(|effect| effect.step == "pick 0").count(), 2, "once by each worker");
    assert_eq!(effects.len(), support::load::STEPS.len() + 1);

    // The zombie's body ends in its own time; what it writes then is refused.
    let zombie = fleet.workers[0].id();
    fleet.workers[0].thaw();
    fleet.workers.pop().expect("two were started").kill();
    let next = parcel::create(&fleet.client, 1, false).id("next").await?;
    next.send(Paid { amount: 1 }).await?;
    assert_eq!(next.result_within(wait::PATIENCE).await?, support::load::total(1, 1));
    fleet.check_workers();

    let later = fleet.effects();
    let of_frozen = |effect: &&support::effects::Effect| effect.instance == "frozen";
    assert_eq!(later.iter().filter(of_frozen).count(), effects.len(), "nothing ran after the end");
    assert!(later.iter().filter(|e| e.instance == "next").all(|e| e.process == zombie));
    assert_eq!(format!("{:?}", instance.history().await?), format!("{done:?}"), "the journal did not change");
    Ok(())
}

async fn workers_frozen_and_killed_at_random_lose_nothing(stage: Stage) -> TestResult {
    let mut chance = Chance::new("freezes and kills");
    let mut fleet = Fleet::new(stage, 1, Duration::from_millis(15)).await;
    for _ in 0..3 {
        fleet.start_worker();
    }
    let parcels = fleet.create(30, false).await?;
    let mut crashes = 0;
    let mut freezes = 0;
    for _ in 0..4 {
        let frozen = chance.index(3);
        fleet.workers[frozen].freeze();
        freezes += 1;
        let killed = (frozen + 1 + chance.index(2)) % 3;
        // Longer than the lease and the sweep that notices it.
        wait::moment(Instant::now() + 3 * stage::SHORT_LEASE + chance.millis(0..300)).await;
        fleet.workers[frozen].thaw();
        if chance.index(2) == 0 {
            fleet.replace_worker(killed);
            crashes += 1;
        }
        wait::moment(Instant::now() + chance.millis(0..200)).await;
        fleet.check_workers();
    }
    let ended = parcels.results(&fleet).await;
    // A zombie that was about to begin a body when it froze begins it when it thaws: one a freeze, at most.
    ended.check(&fleet, crashes + freezes, freezes);
    Ok(())
}
