//! Workers that have everything in common that the system tells processes apart by: nobody is taken for another.

use std::collections::BTreeSet;
use std::time::Duration;

use support::effects;
use support::prelude::*;
use support::size::Amount;
use support::worker::TestWorker;

use super::fleet::{Fleet, LOST};

on_every_shared_store!(workers_alike_have_sessions_of_their_own_and_take_nothing_from_each_other,);

/// How many times they start.
const STARTS: Amount = Amount::of(1, 20, 100);
/// Workers at a time.
const WORKERS: usize = 3;

async fn workers_alike_have_sessions_of_their_own_and_take_nothing_from_each_other(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 4, Duration::from_millis(10)).await;
    // Nothing here waits for it, and nobody loses it.
    fleet.setup.lease = Duration::from_secs(600);
    let store = fleet.stage.store().await;
    let mut parcels = fleet.create(0, false).await?;
    let (mut ever, mut stale) = (BTreeSet::new(), 0);
    for _ in 0..STARTS.wanted() {
        for _ in 0..WORKERS {
            fleet.workers.push(TestWorker::start_as_a_clone(&fleet.setup));
        }
        let all = async || {
            let sessions = store.sessions().await.expect("the store of a test answers");
            (sessions.len() == stale + WORKERS).then_some(sessions)
        };
        let sessions = wait::until("each has a session", all).await;
        let before = ever.len();
        ever.extend(sessions.into_iter().map(|view| view.session));
        assert_eq!(ever.len(), before + WORKERS, "a session that was there before");
        fleet.create_more(&mut parcels, 12, false).await?;
        parcels.results(&fleet).await.check(&fleet, 0);
        // The next ones are started as if these had never been: theirs are there still.
        fleet.workers.clear();
        stale += WORKERS;
    }
    let again: Vec<_> = effects::executions(&fleet.effects()).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(again.is_empty(), "{again:?}");
    let log = fleet.log();
    let lost = log.lines().find(|line| line.contains(LOST) || line.contains("a worker crashed"));
    assert_eq!(lost, None);
    Ok(())
}
