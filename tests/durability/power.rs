//! Servers killed and power cut while workers and clients press on: what was acknowledged is kept as far as the setting of
//! the store promises, nothing is torn, and everything that is left goes on to its end by itself.

use std::path::Path;
use std::time::Duration;

use support::power::Unsynced;
use support::receipts::audit::Audit;
use support::receipts::stand::{Setting, Stand};
use support::size::Amount;

/// Of kills, and of cuts, in each test.
const ROUNDS: Amount = Amount::of(1, 100, 400);

/// One fault after the other, while all work.
async fn faults(setting: Setting, test: &str, rewrites: bool) -> Audit {
    // A server's file is cut: it has no sums by which it could tell sectors that are missing in its midst.
    // Where nothing may be lost, nothing is left by chance now and then.
    let all_gone = if rewrites { 0 } else { 3 };
    let torn = if setting.is_redis() { Unsynced::Cut } else { Unsynced::Scrambled };
    let mut stand = Stand::start(Path::new(env!("CARGO_BIN_EXE_test-worker")), setting, test).await;
    for round in 0..ROUNDS.wanted() {
        stand.press().await;
        if rewrites && round.is_multiple_of(2) {
            stand.begin_rewrite().await;
        }
        stand.kill().await;
        stand.press().await;
        if rewrites && round % 2 == 1 {
            stand.begin_rewrite().await;
        }
        stand.cut(if round % 4 == all_gone { Unsynced::Gone } else { torn }).await;
    }
    stand.press().await;
    let audit = stand.finish().await.unwrap_or_else(|broken| panic!("{broken}"));
    eprintln!("{test}: {:?}", audit.losses);
    audit
}

fn run<F: Future<Output = Audit>>(test: F) -> Audit {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a test can have a runtime").block_on(test)
}

mod sqlite {
    use super::*;

    #[test]
    fn nothing_is_lost_that_was_synced_when_it_was_acknowledged() {
        assert_eq!(run(faults(Setting::SqliteFull, "power of SQLite", false)).lost(), 0);
    }

    #[test]
    fn without_a_sync_for_each_commit_the_newest_may_be_lost_and_nothing_is_torn() {
        run(faults(Setting::SqliteNormal, "power of SQLite, normal", false));
    }
}

mod redis {
    use super::*;

    #[test]
    fn nothing_is_lost_that_was_synced_when_it_was_acknowledged() {
        assert_eq!(run(faults(Setting::RedisAlways, "power of Redis", false)).lost(), 0);
    }

    #[test]
    fn nothing_is_lost_while_the_file_is_written_anew() {
        assert_eq!(run(faults(Setting::RedisAlways, "power of Redis, rewrites", true)).lost(), 0);
    }

    /// Not while the file is written anew: `docs/DURABILITY.md` says what a server does that loses its power then.
    #[test]
    fn with_a_sync_every_second_the_newest_may_be_lost_and_nothing_is_torn() {
        run(faults(Setting::RedisEverysec(0), "power of Redis, every second", false));
    }

    /// What a kill leaves with the system, a power cut takes: the simulation and the audit see it.
    #[test]
    fn a_server_that_never_syncs_loses_by_a_power_cut_what_it_keeps_when_it_is_killed() {
        let audit = run(async {
            let test = "power of Redis, no syncs";
            let mut stand =
                Stand::start(Path::new(env!("CARGO_BIN_EXE_test-worker")), Setting::RedisNoSync, test).await;
            stand.press().await;
            stand.kill().await;
            stand.press().await;
            stand.cut(Unsynced::Gone).await;
            stand.press().await;
            stand.finish().await.unwrap_or_else(|broken| panic!("{broken}"))
        });
        let [killed, cut] = audit.losses[..] else { panic!("two faults") };
        assert_eq!(killed.lost, 0);
        // Not all that came before the kill: what the new file begins with was synced when that was begun.
        assert!(cut.lost > 0, "nothing was synced since: {:?}", audit.losses);
    }

    /// Failovers: at once, and after the primary was cut off from its replica for a second.
    async fn failovers(setting: Setting, test: &str) -> Audit {
        let mut stand = Stand::start(Path::new(env!("CARGO_BIN_EXE_test-worker")), setting, test).await;
        for _ in 0..ROUNDS.wanted() {
            for cut_off in [Duration::ZERO, Duration::from_secs(1)] {
                stand.press().await;
                stand.fail_over(cut_off).await;
            }
        }
        stand.press().await;
        let audit = stand.finish().await.unwrap_or_else(|broken| panic!("{broken}"));
        eprintln!("{test}: {:?}", audit.losses);
        audit
    }

    #[test]
    fn nothing_is_lost_by_a_failover_to_a_replica_that_every_write_waited_for() {
        assert_eq!(run(failovers(Setting::ReplicaWaited, "failovers, waited for")).lost(), 0);
    }

    #[test]
    fn a_replica_that_is_cut_off_has_nothing_of_what_came_meanwhile() {
        assert!(run(failovers(Setting::Replica, "failovers, not waited for")).lost() > 0);
    }

    #[test]
    fn a_server_that_keeps_nothing_loses_everything_and_goes_on() {
        assert!(run(faults(Setting::RedisMemory, "power of Redis, in memory", false)).lost() > 0);
    }
}
