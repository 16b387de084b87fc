//! Clocks that are set while work goes on: the server's, which decides what is due, and those of workers, which decide
//! nothing.

use std::time::SystemTime;

use support::chance::Chance;
use support::clock::MovedClock;
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;
use support::worker::TestWorker;

use super::fleet::{Fleet, LOST};

mod redis {
    use support::StoreKind;

    #[test]
    fn a_server_whose_clock_is_set_to_and_fro_loses_nothing_and_takes_nobody_for_dead() {
        support::run(StoreKind::Redis, super::set_the_servers);
    }

    #[test]
    fn workers_whose_clocks_are_wrong_keep_the_time_of_the_server() {
        support::run(StoreKind::Redis, super::workers_of_other_times);
    }
}

mod sqlite_file {
    use support::StoreKind;

    #[test]
    fn a_machine_whose_clock_is_set_to_and_fro_loses_nothing_and_takes_nobody_for_dead() {
        support::run(StoreKind::SqliteFile, super::set_the_machines);
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// How often a clock is set.
const TIMES: Amount = Amount::of(8, 200, 1_000);
/// Long enough that a heart on a busy machine beats in time.
const LEASE: Duration = Duration::from_secs(5);
const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Where it is set to, against the system's.
const AHEAD_MS: [i64; 8] = [0, HOUR_MS, -HOUR_MS, 7_000, -7_000, 40, -40, 24 * HOUR_MS];
/// Beyond all of them: what was to be due then is due.
const AT_LAST_MS: i64 = 25 * HOUR_MS;

async fn set_the_servers(mut stage: Stage) -> TestResult {
    let clock = MovedClock::new();
    stage.server = Some(RedisServer::start_by(&clock));
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.lease = LEASE;
    for _ in 0..2 {
        fleet.start_worker();
    }
    set_to_and_fro(fleet, &clock).await
}

async fn set_the_machines(stage: Stage) -> TestResult {
    let clock = MovedClock::new();
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.lease = LEASE;
    for _ in 0..2 {
        fleet.workers.push(TestWorker::start_by(&fleet.setup, &clock));
    }
    set_to_and_fro(fleet, &clock).await
}

async fn set_to_and_fro(mut fleet: Fleet, clock: &MovedClock) -> TestResult {
    let mut chance = Chance::new("clocks that are set");
    let mut parcels = fleet.create(10, true).await?;
    for _ in 0..TIMES.wanted() {
        clock.set(AHEAD_MS[chance.index(AHEAD_MS.len())]);
        fleet.create_more(&mut parcels, 5, true).await?;
        wait::moment(Instant::now() + chance.millis(0..200)).await;
        fleet.check_workers();
    }
    clock.set(AT_LAST_MS);
    fleet.create_more(&mut parcels, 1, false).await?;
    let ended = parcels.results(&fleet).await;
    ended.check(&fleet, 0);
    assert!(!fleet.log().contains(LOST), "a jump fences nobody:\n{}", fleet.log());
    parcels.check_journals().await?;
    let newest = fleet.client.list().await?.instances.iter().map(|listed| listed.updated_at).max();
    let ahead = newest.expect("there are some").duration_since(SystemTime::now())?;
    assert!(ahead > Duration::from_millis(AT_LAST_MS.unsigned_abs()) - MINUTE, "it was set: {ahead:?}");
    fleet.check_workers();
    fleet.check_store().await
}

async fn workers_of_other_times(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.lease = LEASE;
    let clocks = [HOUR_MS, -HOUR_MS].map(|ahead_ms| {
        let clock = MovedClock::new();
        clock.set(ahead_ms);
        clock
    });
    for clock in &clocks {
        fleet.workers.push(TestWorker::start_by(&fleet.setup, clock));
    }
    let parcels = fleet.create(40, false).await?;
    parcels.results(&fleet).await.check(&fleet, 0);
    parcels.check_journals().await?;
    let now = SystemTime::now();
    for listed in fleet.client.list().await?.instances {
        for time in [listed.created_at, listed.updated_at] {
            let apart = now.duration_since(time).unwrap_or_else(|error| error.duration());
            assert!(apart < MINUTE, "{}: {apart:?} apart", listed.id);
        }
    }
    fleet.check_store().await
}
