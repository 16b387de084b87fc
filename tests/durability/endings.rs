//! Workers that are asked to end at awkward moments, and operators who ask for something while no worker runs.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use support::chance::Chance;
use support::load::{Paid, parcel, total};
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;

use super::fleet::Fleet;

on_every_shared_store!(
    a_worker_that_is_asked_to_end_twice_ends_in_order,
    a_worker_that_is_asked_to_end_while_it_starts_leaves_nothing_to_wait_for,
    what_is_asked_for_while_no_worker_runs_is_so_for_the_next,
);

mod redis_that_is_away {
    use support::StoreKind;

    #[test]
    fn a_worker_that_is_asked_to_end_while_the_store_is_away_ends_and_others_go_on() {
        support::run(StoreKind::Redis, super::end_without_the_store);
    }
}

/// Workers that are asked to end while they start.
const STARTS: Amount = Amount::of(10, 200, 1_000);
/// Nothing that ends in order waits for it.
const LEASE: Duration = Duration::from_secs(600);
/// Longer than any body takes.
const GRACE: Duration = Duration::from_secs(60);
/// What ends a process that does not listen yet.
const SIGTERM: i32 = 15;

async fn paid(fleet: &Fleet, number: u64, id: &str) -> Result<Handle<parcel>, EngineError> {
    let handle = parcel::create(&fleet.client, number, false).id(id).await?;
    handle.send(Paid { amount: 1 }).await?;
    Ok(handle)
}

async fn a_worker_that_is_asked_to_end_twice_ends_in_order(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(300)).await;
    (fleet.setup.lease, fleet.setup.grace) = (LEASE, GRACE);
    let parcels = fleet.create(3, false).await?;
    fleet.start_worker();
    wait::until("each is in its first body", async || (fleet.effects().len() == 3).then_some(())).await;
    let worker = fleet.workers.remove(0);
    worker.ask_to_end();
    worker.ask_to_end();
    assert!(worker.end().await, "it did not end in order:\n{}", fleet.log());
    assert_eq!(fleet.effects().len(), 3, "no other body has begun");
    let overview = fleet.client.overview().await?;
    assert_eq!((overview.ready, overview.total()), (3, 3), "they wait for anyone: {overview:?}");
    fleet.setup.step_time = Duration::from_millis(1);
    fleet.start_worker();
    parcels.results(&fleet).await.check(&fleet, 0);
    fleet.check_store().await
}

async fn a_worker_that_is_asked_to_end_while_it_starts_leaves_nothing_to_wait_for(stage: Stage) -> TestResult {
    let mut chance = Chance::new("asked to end while it starts");
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(5)).await;
    (fleet.setup.lease, fleet.setup.grace) = (LEASE, GRACE);
    let mut parcels = fleet.create(0, false).await?;
    let (starts, mut in_order) = (STARTS.wanted(), 0);
    for start in 0..starts {
        fleet.create_more(&mut parcels, 3, false).await?;
        fleet.start_worker();
        if start == 0 {
            // One of them hears it in any case.
            fleet.workers[0].ready().await;
        }
        wait::moment(Instant::now() + chance.millis(0..12)).await;
        let mut worker = fleet.workers.remove(0);
        worker.ask_to_end();
        let ended = wait::until("it ends", || std::future::ready(worker.outcome())).await;
        let deaf = ended.signal() == Some(SIGTERM);
        assert!(ended.success() || deaf, "{ended}:\n{}", fleet.log());
        in_order += usize::from(!deaf);
    }
    eprintln!("{in_order} of {starts} ended in order");
    assert!(in_order > 0);
    fleet.start_worker();
    parcels.results(&fleet).await.check(&fleet, 0);
    parcels.check_journals().await?;
    fleet.check_workers();
    fleet.check_store().await
}

async fn what_is_asked_for_while_no_worker_runs_is_so_for_the_next(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 16, Duration::from_secs(3_600)).await;
    let [paused, terminated, restarted] =
        [paid(&fleet, 1, "paused").await?, paid(&fleet, 2, "terminated").await?, paid(&fleet, 3, "restarted").await?];
    // A worker dies with them in its hands.
    fleet.start_worker();
    wait::until("each is in its first body", async || (fleet.effects().len() == 3).then_some(())).await;
    fleet.workers.remove(0).kill();
    assert_eq!(paused.pause().await?, State::Running, "nobody knows yet that its body has died");
    assert_eq!(terminated.terminate("enough").await?, State::Terminated);
    assert_eq!(restarted.restart().await?, State::Queued);
    restarted.send(Paid { amount: 4 }).await?;
    // And others that nobody ever had.
    let [new_paused, new_terminated, new_restarted] = [
        paid(&fleet, 4, "new-paused").await?,
        paid(&fleet, 5, "new-terminated").await?,
        paid(&fleet, 6, "new-restarted").await?,
    ];
    assert_eq!(new_paused.pause().await?, State::Paused);
    assert_eq!(new_terminated.terminate("enough").await?, State::Terminated);
    assert_eq!(new_restarted.restart().await?, State::Queued);
    new_restarted.send(Paid { amount: 7 }).await?;

    fleet.setup.step_time = Duration::from_millis(1);
    fleet.start_worker();
    assert_eq!(restarted.result_within(wait::PATIENCE).await?, total(3, 4));
    assert_eq!(new_restarted.result_within(wait::PATIENCE).await?, total(6, 7));
    wait::state(&paused, State::Paused).await;
    wait::state(&new_paused, State::Paused).await;
    let ran = |id: &str| fleet.effects().iter().filter(|effect| effect.instance == id).count();
    for (id, bodies) in [("paused", 1), ("terminated", 1), ("new-paused", 0), ("new-terminated", 0)] {
        assert_eq!(ran(id), bodies, "{id} went on");
    }
    for (handle, number) in [(&paused, 1), (&new_paused, 4)] {
        handle.resume().await?;
        assert_eq!(handle.result_within(wait::PATIENCE).await?, total(number, 1));
    }
    for handle in [&terminated, &new_terminated] {
        let result = handle.result_within(wait::PATIENCE).await;
        assert!(matches!(result, Err(workflow::ResultError::Terminated { .. })), "{result:?}");
    }
    assert_eq!((ran("terminated"), ran("new-terminated")), (1, 0));
    fleet.check_workers();
    fleet.check_store().await
}

async fn end_without_the_store(mut stage: Stage) -> TestResult {
    stage.server = Some(RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]));
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(200)).await;
    let mut server = fleet.stage.server.take().expect("it was just started");
    // Bodies that end while there is no store cannot be recorded: nobody waits for that longer than this.
    fleet.setup.grace = Duration::from_secs(1);
    let parcels = fleet.create(3, false).await?;
    fleet.start_worker();
    wait::until("each is in its first body", async || (fleet.effects().len() == 3).then_some(())).await;
    server.kill();
    let worker = fleet.workers.remove(0);
    worker.ask_to_end();
    assert!(!worker.end().await, "it says that nothing was handed over");
    server.restart();
    fleet.setup.step_time = Duration::from_millis(1);
    fleet.start_worker();
    // What it could not record runs again.
    parcels.results(&fleet).await.check(&fleet, 3);
    parcels.check_journals().await?;
    fleet.check_workers();
    Ok(())
}
