//! Restarts that operators mean: workers rolled one by one under load, clients that begin again, and two major versions
//! side by side. The lease is far longer than any test: what is handed over in time was handed over, not recovered.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::SystemTime;

use support::chance::Chance;
use support::effects;
use support::load::{self, Paid, delivered, parcel};
use support::prelude::*;
use support::size::Amount;
use support::versions::{first, second};
use support::worker::{Serves, TestWorker};

use super::fleet::Fleet;

on_every_shared_store!(
    workers_rolled_under_load_run_nothing_twice,
    bodies_that_outlast_the_grace_are_handed_over_at_once,
    a_client_that_begins_again_and_workers_that_are_rolled_do_everything_once,
    two_versions_side_by_side_each_finish_their_own,
    what_no_worker_knows_is_on_a_shelf_until_one_comes,
    a_release_that_does_not_fit_parks_what_it_cannot_go_on_with_and_a_rollback_goes_on,
);

/// How often all workers are rolled.
const ROLLS: Amount = Amount::of(4, 100, 500);
/// Nothing here waits for it.
const LEASE: Duration = Duration::from_secs(600);
/// Longer than any body takes that is to end.
const GRACE: Duration = Duration::from_secs(60);

async fn fleet(stage: Stage, concurrency: usize, step_time: Duration) -> Fleet {
    let mut fleet = Fleet::new(stage, concurrency, step_time).await;
    (fleet.setup.lease, fleet.setup.grace) = (LEASE, GRACE);
    fleet
}

impl Fleet {
    async fn start_ready(&mut self) {
        self.start_worker().ready().await;
    }

    /// Replaces every worker by a new one, which runs before the old one is asked to end.
    async fn roll(&mut self) {
        for _ in 0..self.workers.len() {
            self.start_ready().await;
            self.end(0).await;
        }
    }

    /// Asks a worker to end, which it does in order.
    async fn end(&mut self, index: usize) {
        let worker = self.workers.remove(index);
        worker.ask_to_end();
        assert!(worker.end().await, "it did not end in order:\n{}", self.log());
    }

    /// Nobody complains about a restart that was meant.
    fn check_quiet(&self) {
        let understood = ["READY", "the engine has started: "];
        let log = self.log();
        let complaint = log.lines().find(|line| !understood.iter().any(|words| line.contains(words)));
        assert_eq!(complaint, None);
    }
}

async fn workers_rolled_under_load_run_nothing_twice(stage: Stage) -> TestResult {
    let mut fleet = fleet(stage, 8, Duration::from_millis(30)).await;
    for _ in 0..3 {
        fleet.start_ready().await;
    }
    let mut parcels = fleet.create(0, true).await?;
    for _ in 0..ROLLS.wanted() {
        // New work for each roll: however long it takes, those that begin have something to do.
        let before = fleet.effects().len();
        fleet.create_more(&mut parcels, 40, true).await?;
        wait::until("it is under load", async || (fleet.effects().len() > before + 5).then_some(())).await;
        fleet.roll().await;
    }
    parcels.results(&fleet).await.check(&fleet, 0);
    let processes: std::collections::BTreeSet<_> = fleet.effects().iter().map(|effect| effect.process).collect();
    assert!(processes.len() > 3, "they were rolled while there was work: {processes:?}");
    fleet.check_quiet();
    Ok(())
}

async fn bodies_that_outlast_the_grace_are_handed_over_at_once(stage: Stage) -> TestResult {
    let mut fleet = fleet(stage, 4, Duration::from_secs(3_600)).await;
    fleet.setup.grace = Duration::from_millis(20);
    fleet.start_ready().await;
    let mut handles = Vec::new();
    for number in 0..3 {
        let handle = parcel::create(&fleet.client, number, false).await?;
        handle.send(Paid { amount: 1 }).await?;
        handles.push(handle);
    }
    wait::until("each is in its first body", async || (fleet.effects().len() == 3).then_some(())).await;
    // Nobody is there to take them: they wait, and are owned by no one.
    fleet.end(0).await;
    for handle in &handles {
        let status = wait::state(handle, State::Queued).await;
        assert_eq!((status.worker, status.suspect), (None, false), "who ends in order is no crash");
    }
    let overview = fleet.client.overview().await?;
    assert_eq!((overview.ready, overview.total()), (3, 3), "{overview:?}");
    fleet.setup.step_time = Duration::from_millis(1);
    fleet.start_ready().await;
    for (number, handle) in (0..).zip(&handles) {
        assert_eq!(handle.result_within(wait::PATIENCE).await?, load::total(number, 1));
    }
    let effects = fleet.effects();
    for handle in &handles {
        let ran = |step: &str| effects.iter().filter(|e| e.instance == handle.id() && e.step == step).count();
        assert_eq!(load::STEPS.iter().map(|step| ran(step)).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 1], "{effects:?}");
    }
    assert!(effects.iter().all(|effect| effect.attempt == 1), "a body that was dropped is no attempt");
    fleet.check_quiet();
    Ok(())
}

async fn a_client_that_begins_again_and_workers_that_are_rolled_do_everything_once(stage: Stage) -> TestResult {
    const DELIVERIES: u64 = 12;
    let mut chance = Chance::new("clients and workers");
    let mut fleet = fleet(stage, 4, Duration::from_millis(5)).await;
    for _ in 0..2 {
        fleet.start_ready().await;
    }
    let results = fleet.stage.folder().join("results");
    let start = |fleet: &Fleet| TestWorker::start_delivering(&fleet.setup, DELIVERIES, &results);
    let mut client = start(&fleet);
    for kill in 1..=4 {
        let enough = kill * 2;
        wait::until("it has some results", async || (effects::read(&results).len() >= enough).then_some(())).await;
        wait::moment(Instant::now() + chance.millis(0..40)).await;
        client.kill();
        fleet.roll().await;
        client = start(&fleet);
    }
    assert!(client.end().await, "{}", fleet.log());
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for result in effects::read(&results) {
        told.entry(result.instance).or_default().push(result.step);
    }
    for number in 0..DELIVERIES {
        let results = &told[&format!("delivery-{number}")];
        assert!(results.iter().all(|result| *result == delivered(number, 2, 3).to_string()), "{number}: {results:?}");
    }
    let again: Vec<_> = effects::executions(&fleet.effects()).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(again.is_empty(), "{again:?}");
    let count = fleet.client.list().limit(1_000).await?.instances.len();
    assert_eq!(count as u64, 2 * DELIVERIES, "each with its one child");
    fleet.check_quiet();
    Ok(())
}

async fn two_versions_side_by_side_each_finish_their_own(stage: Stage) -> TestResult {
    let mut fleet = fleet(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.serves = Serves::First;
    fleet.start_ready().await;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for number in 0..6 {
        old.push(first::bill::create(&fleet.client, number).id(format!("old-{number}")).await?);
    }
    fleet.setup.serves = Serves::Second;
    fleet.start_ready().await;
    for number in 0..6 {
        new.push(second::bill::create(&fleet.client, number).id(format!("new-{number}")).await?);
    }
    let amount = Cell::new(0);
    let paid = || Paid { amount: amount.replace(amount.get() + 1) };
    for (old, new) in old.iter().zip(&new) {
        old.send(paid()).await?;
        new.send(paid()).await?;
    }
    for (number, (old, new)) in (0..).zip(old.iter().zip(&new)) {
        let [of_old, of_new] = [old.result_within(wait::PATIENCE).await?, new.result_within(wait::PATIENCE).await?];
        assert_eq!(of_old, format!("bill {number} of the first release, paid {}", 2 * number));
        assert_eq!(of_new, format!("bill {number} of the second release, paid {}", 2 * number + 1));
    }
    let [one, two] = [fleet.workers[0].id(), fleet.workers[1].id()];
    for effect in fleet.effects() {
        let (steps, process) =
            if effect.instance.starts_with("old") { (["write", "file"], one) } else { (["print", "sign"], two) };
        assert!(steps.contains(&effect.step.as_str()) && effect.process == process, "{effect:?}");
    }
    fleet.check_quiet();
    Ok(())
}

async fn what_no_worker_knows_is_on_a_shelf_until_one_comes(stage: Stage) -> TestResult {
    let mut fleet = fleet(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.serves = Serves::First;
    fleet.start_ready().await;
    let waiting = first::bill::create(&fleet.client, 1).id("waiting").await?;
    wait::state(&waiting, State::Waiting).await;
    // A second release replaces the first, too early.
    fleet.setup.serves = Serves::Second;
    fleet.start_ready().await;
    fleet.end(0).await;
    waiting.send(Paid { amount: 7 }).await?;
    let fresh = first::bill::create(&fleet.client, 2).id("fresh").start_at(SystemTime::now()).await?;
    fresh.send(Paid { amount: 8 }).await?;
    let shelved = async || {
        let shelves = fleet.client.overview().await.expect("the store of a test answers").shelves;
        let is_it = |shelf: &Shelf| (shelf.workflow.as_str(), shelf.version, shelf.instances) == ("bill", 1, 2);
        shelves.iter().any(is_it).then_some(())
    };
    wait::until("both are on the shelf", shelved).await;
    assert_eq!((waiting.status().await?.state, fresh.status().await?.state), (State::Queued, State::Queued));
    let said = async || {
        let log = fleet.log();
        log.lines().find(|line| line.contains("wait for a worker that knows this version")).map(str::to_owned)
    };
    let said = wait::until("a worker says so", said).await;
    assert!(said.contains("workflow=bill version=1"), "{said}");
    // Work that it knows goes on beside.
    let new = second::bill::create(&fleet.client, 3).await?;
    new.send(Paid { amount: 9 }).await?;
    assert_eq!(new.result_within(wait::PATIENCE).await?, "bill 3 of the second release, paid 9");

    fleet.setup.serves = Serves::First;
    fleet.start_ready().await;
    assert_eq!(waiting.result_within(wait::PATIENCE).await?, "bill 1 of the first release, paid 7");
    assert_eq!(fresh.result_within(wait::PATIENCE).await?, "bill 2 of the first release, paid 8");
    let overview = fleet.client.overview().await?;
    assert_eq!((overview.done(), overview.total()), (3, 3), "{overview:?}");
    assert!(fleet.effects().iter().all(|effect| effect.attempt == 1));
    let twice: Vec<_> = effects::executions(&fleet.effects()).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    Ok(())
}

async fn a_release_that_does_not_fit_parks_what_it_cannot_go_on_with_and_a_rollback_goes_on(
    stage: Stage,
) -> TestResult {
    let mut fleet = fleet(stage, 4, Duration::from_millis(5)).await;
    fleet.setup.serves = Serves::First;
    fleet.start_ready().await;
    let bill = first::bill::create(&fleet.client, 1).id("misfit").await?;
    wait::state(&bill, State::Waiting).await;
    fleet.setup.serves = Serves::Broken;
    fleet.start_ready().await;
    fleet.end(0).await;
    bill.send(Paid { amount: 7 }).await?;
    let status = wait::state(&bill, State::Paused).await;
    let reason = status.paused.map(|paused| paused.reason);
    assert!(matches!(reason, Some(PauseReason::Divergence(_))), "{reason:?}");
    // Whoever reads the log is told which instance stands still, why, and what to do, a moment after it does.
    let line = async || fleet.log().lines().find(|line| line.contains("ERROR")).map(str::to_owned);
    let said = wait::until("the log says so", line).await;
    for words in ["instance=misfit", "workflow=bill", "version=1", "write", "type", "go back", "resume"] {
        assert!(said.contains(words), "{words} in {said:?}");
    }

    fleet.setup.serves = Serves::First;
    fleet.start_ready().await;
    fleet.end(0).await;
    bill.resume().await?;
    assert_eq!(bill.result_within(wait::PATIENCE).await?, "bill 1 of the first release, paid 7");
    let ran: Vec<_> = fleet.effects().into_iter().map(|effect| effect.step).collect();
    assert_eq!(ran, ["write", "file"], "the broken release ran nothing");
    Ok(())
}
