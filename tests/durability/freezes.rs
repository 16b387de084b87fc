//! SIGSTOP for longer than the lease: a zombie wakes up and finds that it owns nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use support::chance::Chance;
use support::effects::Effect;
use support::failpoints::{Failpoint, Kind, MET};
use support::load::{self, Paid, parcel, stone};
use support::prelude::*;
use support::size::Amount;
use support::worker::{Serves, TestWorker};
use workflow::journal::command::Command;
use workflow::store::Store;
use workflow::words::id::SessionId;

use super::fleet::{Fleet, LOST};

on_every_shared_store!(
    a_worker_frozen_in_a_body_writes_nothing_afterwards_and_works_on_with_a_new_session,
    workers_frozen_and_killed_at_random_lose_nothing,
    workers_frozen_in_the_middle_of_a_write_write_nothing_when_they_thaw,
    nobody_takes_over_before_the_lease_is_over_by_the_clock_of_the_store,
    bodies_that_block_every_thread_for_longer_than_the_lease_keep_what_they_have,
);

/// Freezes of one round at random.
const FREEZES: usize = 4;
/// How many rounds.
const ROUNDS: Amount = Amount::of(1, 125, 600);

async fn a_worker_frozen_in_a_body_writes_nothing_afterwards_and_works_on_with_a_new_session(
    stage: Stage,
) -> TestResult {
    let mut fleet = Fleet::new(stage, 1, Duration::from_secs(2)).await;
    fleet.start_worker();
    let instance = parcel::create(&fleet.client, 7, false).id("frozen").await?;
    instance.send(Paid { amount: 100 }).await?;
    wait::until("the first body runs", async || (!fleet.effects().is_empty()).then_some(())).await;
    freeze(&fleet.workers[0], &*fleet.stage.store().await).await;

    // Another worker, with quicker hands, takes over once the lease is over.
    fleet.setup.step_time = Duration::from_millis(5);
    fleet.start_worker();
    assert_eq!(instance.result_within(wait::PATIENCE).await?, load::total(7, 100));
    let done = instance.history().await?;
    let effects = fleet.effects();
    assert_eq!(effects.iter().filter(|effect| effect.step == "pick 0").count(), 2, "once by each worker");
    assert_eq!(effects.len(), load::STEPS.len() + 1);

    // The zombie's body ends in its own time; what it writes then is refused.
    let zombie = fleet.workers[0].id();
    fleet.workers[0].thaw();
    fleet.workers[0].says(LOST).await;
    fleet.workers.pop().expect("two were started").kill();
    let next = parcel::create(&fleet.client, 1, false).id("next").await?;
    next.send(Paid { amount: 1 }).await?;
    assert_eq!(next.result_within(wait::PATIENCE).await?, load::total(1, 1));
    fleet.check_workers();

    let later = fleet.effects();
    let of_frozen = |effect: &&Effect| effect.instance == "frozen";
    assert_eq!(later.iter().filter(of_frozen).count(), effects.len(), "nothing ran after the end");
    assert!(later.iter().filter(|e| e.instance == "next").all(|e| e.process == zombie));
    assert_eq!(format!("{:?}", instance.history().await?), format!("{done:?}"), "the journal did not change");
    Ok(())
}

async fn workers_frozen_and_killed_at_random_lose_nothing(stage: Stage) -> TestResult {
    let mut chance = Chance::new("freezes and kills");
    let kind = stage.kind;
    freeze_at_random(stage, &mut chance).await?;
    for _ in 1..ROUNDS.wanted() {
        freeze_at_random(Stage::new(kind).await, &mut chance).await?;
    }
    Ok(())
}

async fn freeze_at_random(stage: Stage, chance: &mut Chance) -> TestResult {
    let mut fleet = Fleet::new(stage, 1, Duration::from_millis(15)).await;
    for _ in 0..3 {
        fleet.start_worker();
    }
    let parcels = fleet.create(30, false).await?;
    let store = fleet.stage.store().await;
    let mut crashes = 0;
    for _ in 0..FREEZES {
        let frozen = chance.index(3);
        let killed = (frozen + 1 + chance.index(2)) % 3;
        hearts_beat(&*store, 3).await;
        freeze(&fleet.workers[frozen], &*store).await;
        // Until others have noticed it, however much the machine does else.
        what_stands_still_is_noticed(&*store).await;
        wait::moment(Instant::now() + chance.millis(0..300)).await;
        let before = losses(&fleet, frozen);
        fleet.workers[frozen].thaw();
        let said = async || (losses(&fleet, frozen) > before).then_some(());
        wait::until("it says that it lost its session", said).await;
        if chance.index(2) == 0 {
            fleet.replace_worker(killed);
            crashes += 1;
        }
        wait::moment(Instant::now() + chance.millis(0..200)).await;
        fleet.check_workers();
    }
    let ended = parcels.results(&fleet).await;
    // A zombie that was about to begin a body when it froze begins it when it thaws.
    ended.check(&fleet, crashes);
    parcels.check_journals().await?;
    fleet.check_store().await
}

/// Freezes a worker, not in the middle of a transaction: on a file everyone would have to wait for it to thaw.
async fn freeze(worker: &TestWorker, store: &dyn Store) {
    const WRITTEN_WITHIN: Duration = Duration::from_secs(1);
    loop {
        worker.freeze();
        // As every worker does again and again.
        let write = store.execute(0, vec![Command::WakeDue { limit: 1 }]);
        if matches!(tokio::time::timeout(WRITTEN_WITHIN, write).await, Ok(Ok(_))) {
            return;
        }
        worker.thaw();
    }
}

/// How often this worker said that it lost its session.
fn losses(fleet: &Fleet, worker: usize) -> usize {
    let begin = format!("{} ", fleet.workers[worker].id());
    fleet.log().lines().filter(|line| line.starts_with(&begin) && line.contains(LOST)).count()
}

/// How often the hearts of the sessions that live have beaten.
async fn beats(store: &dyn Store) -> BTreeMap<SessionId, u64> {
    let sessions = store.sessions().await.expect("the store of a test answers");
    sessions.iter().filter(|view| !view.revoked).map(|view| (view.session, view.beats)).collect()
}

/// Waits until so many hearts beat: those of processes that run, and not of what they left behind.
async fn hearts_beat(store: &dyn Store, count: usize) {
    let before = beats(store).await;
    let beat = async || {
        let now = beats(store).await;
        let beaten = now.iter().filter(|(session, beats)| **beats > before.get(session).copied().unwrap_or(0));
        (beaten.count() >= count).then_some(())
    };
    wait::until(&format!("{count} hearts beat"), beat).await;
}

/// Waits until no session lives whose heart stands still.
async fn what_stands_still_is_noticed(store: &dyn Store) {
    let before = beats(store).await;
    let noticed = async || {
        let now = beats(store).await;
        before.iter().all(|(session, beats)| now.get(session) != Some(beats)).then_some(())
    };
    wait::until("what stands still is noticed", noticed).await;
}

/// Before the write of a body's result, of a wait, of the end, and between each and its answer.
async fn workers_frozen_in_the_middle_of_a_write_write_nothing_when_they_thaw(stage: Stage) -> TestResult {
    let kinds = [Kind::Hold, Kind::Suspend, Kind::Finish];
    let points: Vec<Failpoint> =
        kinds.iter().flat_map(|kind| [Failpoint::Before(*kind), Failpoint::After(*kind)]).collect();
    let mut fleet = Fleet::new(stage, 1, Duration::from_millis(1)).await;
    let (thaw, store) = (fleet.stage.folder().join("thaw"), fleet.stage.store().await);
    let mut instances = Vec::new();
    for (number, point) in (0..).zip(&points) {
        let queue = format!("queue-{number}");
        let zombie = TestWorker::start_held(&fleet.setup, &queue, *point, &thaw);
        let instance = parcel::create(&fleet.client, number, false).id(point.to_string()).queue(&queue).await?;
        instance.send(Paid { amount: 1 }).await?;
        zombie.says(MET).await;
        freeze(&zombie, &*store).await;
        fleet.workers.push(zombie);
        instances.push(instance);
    }
    // One that serves all queues takes over.
    let queues: Vec<_> = (0..points.len()).map(|number| format!("queue-{number}")).collect();
    fleet.workers.push(TestWorker::start_serving(&fleet.setup, &queues.join(",")));
    let mut ended = Vec::new();
    for (number, instance) in (0..).zip(&instances) {
        assert_eq!(instance.result_within(wait::PATIENCE).await?, load::total(number, 1), "{}", instance.id());
        ended.push(format!("{:?}", instance.history().await?));
    }
    let before = fleet.effects();
    std::fs::write(&thaw, "")?;
    for zombie in &fleet.workers[..points.len()] {
        zombie.thaw();
        zombie.says(LOST).await;
    }
    // Each works on with a new session; by then what it was about to write has been refused.
    fleet.workers.pop().expect("it was started last").kill();
    for (number, queue) in (0..).zip(&queues) {
        let next = parcel::create(&fleet.client, number, false).queue(queue).await?;
        next.send(Paid { amount: 2 }).await?;
        assert_eq!(next.result_within(wait::PATIENCE).await?, load::total(number, 2));
    }
    for (instance, ended) in instances.iter().zip(ended) {
        assert_eq!(format!("{:?}", instance.history().await?), ended, "the journal of {} changed", instance.id());
    }
    for point in &points {
        let steps = |effects: &[Effect]| effects.iter().filter(|one| one.instance == point.to_string()).count();
        // What was committed unheard is not run again, and what was not is.
        let again = usize::from(*point == Failpoint::Before(Kind::Hold));
        let ran = steps(&before);
        assert!((load::STEPS.len()..=load::STEPS.len() + 1).contains(&ran), "{point}: {ran}");
        assert!(again == 0 || ran == load::STEPS.len() + 1, "{point}: {before:?}");
        assert_eq!(steps(&fleet.effects()), ran, "{point}: a zombie went on");
    }
    fleet.check_workers();
    fleet.check_store().await
}

async fn nobody_takes_over_before_the_lease_is_over_by_the_clock_of_the_store(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 1, Duration::from_secs(3_600)).await;
    fleet.setup.lease = Duration::from_secs(2);
    fleet.start_worker();
    let instance = parcel::create(&fleet.client, 7, false).await?;
    wait::until("the first body runs", async || (!fleet.effects().is_empty()).then_some(())).await;
    let store = fleet.stage.store().await;
    freeze(&fleet.workers[0], &*store).await;
    let [held] = &store.sessions().await?[..] else { return Err("there is one session".into()) };
    let (session, expires_at) = (held.session, held.expires_at);
    fleet.setup.step_time = Duration::from_millis(1);
    for _ in 0..3 {
        fleet.start_worker();
    }
    let mut looks = 0;
    loop {
        let sessions = store.sessions().await?;
        let lives = sessions.iter().any(|view| view.session == session && !view.revoked);
        let now = store.now().await?;
        if !lives {
            assert!(now >= expires_at, "it was revoked at {now:?}, and had its lease until {expires_at:?}");
            break;
        }
        assert_eq!(fleet.effects().len(), 1, "somebody has begun what it has");
        looks += 1;
        wait::moment(Instant::now() + Duration::from_millis(1)).await;
    }
    assert!(looks > 0, "it was looked at while it had its lease");
    instance.send(Paid { amount: 1 }).await?;
    assert_eq!(instance.result_within(wait::PATIENCE).await?, load::total(7, 1));
    Ok(())
}

/// The heart has a thread of its own.
async fn bodies_that_block_every_thread_for_longer_than_the_lease_keep_what_they_have(stage: Stage) -> TestResult {
    // Long enough for a heart on a machine that does much else.
    const LEASE: Duration = Duration::from_secs(2);
    const STONES: usize = 64;
    let mut fleet = Fleet::new(stage, STONES, 5 * LEASE / 2).await;
    (fleet.setup.serves, fleet.setup.lease) = (Serves::Stones, LEASE);
    let lying = fleet.start_worker().id();
    fleet.workers[0].ready().await;
    let threads = std::thread::available_parallelism()?.get();
    let mut stones = Vec::new();
    for _ in 0..threads {
        stones.push(stone::create(&fleet.client).await?);
    }
    wait::until("every thread is blocked", async || (fleet.effects().len() == threads).then_some(())).await;
    fleet.setup.step_time = Duration::from_millis(1);
    fleet.start_worker();
    for stone in &stones {
        stone.result_within(wait::PATIENCE).await?;
    }
    let effects = fleet.effects();
    assert_eq!(effects.len(), 2 * threads, "{effects:?}");
    assert!(effects.iter().all(|effect| effect.process == lying && effect.attempt == 1), "{effects:?}");
    let log = fleet.log();
    for words in [LOST, "a worker crashed"] {
        assert!(!log.contains(words), "{log}");
    }
    Ok(())
}
