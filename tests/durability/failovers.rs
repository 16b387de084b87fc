//! A replica takes the place of a primary under load, behind sentinels and in a cluster, and slots of a cluster are moved:
//! nothing is lost and nothing runs twice.
//!
//! A primary is killed and frozen at moments at which its replica has been sent all that it acknowledged, and one that was
//! frozen goes on once we have left it: what it acknowledges until it learns that it was replaced is lost, which is Redis's
//! affair. This is about what we make of the rest.

use support::chance::Chance;
use support::prelude::*;
use support::redis::cluster::RedisCluster;
use support::redis::sentinels::Sentinels;
use support::redis::wait_until_left;
use support::size::Amount;
use support::worker::TestWorker;

use super::fleet::Fleet;

/// How often a primary behind sentinels is killed or frozen.
const BEHIND_SENTINELS: Amount = Amount::of(2, 50, 300);
/// How often one is of which a replica must have every write.
const WITH_REPLICAS: Amount = Amount::of(1, 50, 300);
/// How often a primary of a cluster is.
const IN_A_CLUSTER: Amount = Amount::of(2, 30, 200);
/// How many slots are moved.
const MOVES: Amount = Amount::of(4, 40, 200);
/// Into how many parts the store on the cluster is divided.
const PARTITIONS: u64 = 6;

mod redis {
    use support::StoreKind::SqliteMemory;
    use support::run;

    #[test]
    fn a_primary_behind_sentinels_is_killed_or_frozen_and_work_goes_on_at_the_next() {
        run(SqliteMemory, super::behind_sentinels);
    }

    #[test]
    fn a_primary_that_needs_a_replica_for_each_write_is_killed_or_frozen_and_nothing_is_lost() {
        run(SqliteMemory, super::with_replicas);
    }

    #[test]
    fn a_primary_that_dies_without_sentinels_is_followed_once_they_are_back() {
        run(SqliteMemory, super::without_sentinels);
    }

    #[test]
    fn primaries_of_a_cluster_are_killed_and_frozen_and_nothing_is_lost() {
        run(SqliteMemory, super::in_a_cluster);
    }

    #[test]
    fn slots_are_moved_and_primaries_replaced_under_load_and_nothing_is_lost() {
        run(SqliteMemory, super::moves);
    }
}

/// How a primary goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Frozen,
}

/// Something that is only handled where waiting for it holds up nothing else.
struct Aside<T>(Option<T>);

impl<T: Send + 'static> Aside<T> {
    async fn with<R: Send + 'static>(&mut self, act: impl FnOnce(&mut T) -> R + Send + 'static) -> R {
        let mut taken = self.0.take().expect("one at a time has it");
        let acting = tokio::task::spawn_blocking(move || {
            let result = act(&mut taken);
            (taken, result)
        });
        let (taken, result) = acting.await.expect("it does what is asked");
        self.0 = Some(taken);
        result
    }
}

async fn started<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> Aside<T> {
    Aside(Some(tokio::task::spawn_blocking(start).await.expect("it starts")))
}

/// Kills and freezes in turn; a sample of one is either.
fn ends(chance: &mut Chance) -> impl FnMut() -> End + use<> {
    let mut next = if chance.index(2) == 0 { End::Killed } else { End::Frozen };
    move || {
        next = if next == End::Killed { End::Frozen } else { End::Killed };
        next
    }
}

/// This process, and its workers.
fn processes(fleet: &Fleet) -> Vec<u32> {
    fleet.workers.iter().map(TestWorker::id).chain([std::process::id()]).collect()
}

/// Lets the primary go, and brings back the one before; waits until the next one is there.
fn replace_primary(all: &mut Sentinels, gone: Option<(usize, End)>, end: End, clients: &[u32]) -> (usize, End) {
    match gone {
        Some((before, End::Killed)) => all.restart(before),
        Some((before, End::Frozen)) => {
            wait_until_left(all.node(before).port(), clients);
            all.resume(before);
        }
        None => {}
    }
    all.wait_until_settled();
    let primary = all.primary();
    all.node(primary).engross();
    match end {
        End::Killed => all.kill(primary),
        End::Frozen => all.pause(primary),
    }
    let next = all.primary();
    assert_ne!(next, primary);
    (primary, end)
}

async fn fail_over(stage: Stage, replicas: usize, settings: &'static [(&str, &str)], times: Amount) -> TestResult {
    let mut chance = Chance::new("failovers");
    let mut all = started(move || Sentinels::start(replicas, settings)).await;
    let url = all.with(|all| all.url()).await;
    let mut fleet = Fleet::delivering_over(stage, &url).await;
    let (mut next_end, mut gone, clients) = (ends(&mut chance), None, processes(&fleet));
    let times = usize::try_from(times.wanted())?;
    fleet
        .deliver_through(times, async || {
            wait::moment(Instant::now() + chance.millis(50..300)).await;
            let (before, end, clients) = (gone, next_end(), clients.clone());
            let begun = Instant::now();
            gone = Some(all.with(move |all| replace_primary(all, before, end, &clients)).await);
            eprintln!("{end:?}: the next primary is there after {:?}", begun.elapsed());
        })
        .await
}

async fn behind_sentinels(stage: Stage) -> TestResult {
    fail_over(stage, 1, &[], BEHIND_SENTINELS).await
}

/// With one replica a failover would leave none, and nothing would be taken.
async fn with_replicas(stage: Stage) -> TestResult {
    fail_over(stage, 2, &[("min-replicas-to-write", "1"), ("min-replicas-max-lag", "5")], WITH_REPLICAS).await
}

async fn without_sentinels(stage: Stage) -> TestResult {
    let mut all = started(|| Sentinels::start(1, &[])).await;
    let url = all.with(|all| all.url()).await;
    let mut fleet = Fleet::delivering_over(stage, &url).await;
    let mut fault = 0;
    fleet
        .deliver_through(2, async || {
            fault += 1;
            match fault {
                // Who has the primary needs no sentinel.
                1 => all.with(|all| (0..3).for_each(|sentinel| all.kill_sentinel(sentinel))).await,
                _ => {
                    let die = |all: &mut Sentinels| {
                        all.node(0).engross();
                        all.kill(0);
                        (0..3).for_each(|sentinel| all.restart_sentinel(sentinel));
                        assert_eq!(all.primary(), 1);
                    };
                    all.with(die).await;
                }
            }
        })
        .await
}

fn on(cluster: &RedisCluster) -> String {
    format!("{}?partitions={PARTITIONS}", cluster.url())
}

async fn in_a_cluster(stage: Stage) -> TestResult {
    let mut chance = Chance::new("failovers in a cluster");
    let mut cluster = started(RedisCluster::start).await;
    let url = cluster.with(|cluster| on(cluster)).await;
    let mut fleet = Fleet::delivering_over(stage, &url).await;
    let (mut next_end, clients) = (ends(&mut chance), processes(&fleet));
    let times = usize::try_from(IN_A_CLUSTER.wanted())?;
    fleet
        .deliver_through(times, async || {
            wait::moment(Instant::now() + chance.millis(50..300)).await;
            let (end, which, clients) = (next_end(), chance.index(3), clients.clone());
            let begun = Instant::now();
            cluster.with(move |cluster| lose_one(cluster, which, end, &clients)).await;
            eprintln!("{end:?}: the cluster is whole again after {:?}", begun.elapsed());
        })
        .await
}

/// A primary goes, its replica follows, and it comes back.
fn lose_one(cluster: &mut RedisCluster, which: usize, end: End, clients: &[u32]) {
    let primary = cluster.primaries()[which];
    let replica = cluster.replica_of(primary);
    cluster.node(primary).engross();
    match end {
        End::Killed => cluster.kill(primary),
        End::Frozen => cluster.pause(primary),
    }
    cluster.wait_until_it_is_primary(replica);
    match end {
        End::Killed => cluster.restart(primary),
        End::Frozen => {
            wait_until_left(cluster.node(primary).port(), clients);
            cluster.resume(primary);
        }
    }
    cluster.wait_until_settled();
}

async fn moves(stage: Stage) -> TestResult {
    let mut chance = Chance::new("slots moved");
    let mut cluster = started(RedisCluster::start).await;
    let url = cluster.with(|cluster| on(cluster)).await;
    let mut fleet = Fleet::delivering_over(stage, &url).await;
    let times = usize::try_from(MOVES.wanted())?;
    fleet
        .deliver_through(times, async || {
            wait::moment(Instant::now() + chance.millis(0..200)).await;
            let (partition, to, replaced) = (chance.within(0..PARTITIONS), chance.index(2), chance.index(4) == 0);
            let act = move |cluster: &mut RedisCluster| {
                let slot = cluster.slot_of(&format!("wf:{{default:{partition}}}:ready"));
                let from = cluster.primary_of(slot);
                if replaced {
                    cluster.failover(from);
                } else {
                    let others: Vec<usize> =
                        cluster.primaries().into_iter().filter(|primary| *primary != from).collect();
                    cluster.move_slot(slot, from, others[to]);
                }
            };
            cluster.with(act).await;
        })
        .await
}
