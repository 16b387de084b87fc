//! Servers that others know the place of: clusters, and primaries that sentinels watch.

use std::collections::BTreeSet;
use std::net::TcpListener;

use redis::from_redis_value;
use support::prelude::*;
use support::redis::RedisServer;
use support::redis::cluster::RedisCluster;
use support::redis::sentinels::Sentinels;
use tokio::sync::broadcast::Receiver;
use workflow::journal::command::{Command, CreateReply, Reply};
use workflow::store::redis::RedisStore;
use workflow::store::{Beat, Hinted, ListQuery, Store, StoreError};
use workflow::words::id::InstanceId;

use super::stage::{LEASE, SESSION, commands_run, create, hear, made, open, ready, runtime};

/// So many partitions a namespace has on a cluster by default.
const PARTITIONS: usize = 8;

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

/// An id in a partition.
fn id_in(store: &RedisStore, partition: usize) -> InstanceId {
    id_that_begins(store, partition, "i")
}

fn id_that_begins(store: &RedisStore, partition: usize, prefix: &str) -> InstanceId {
    let mut ids = (0..).map(|number| id(&format!("{prefix}{number}")));
    ids.find(|id| store.partition_of(id) == partition).expect("every partition has ids")
}

async fn to(store: &RedisStore, partition: usize, command: &Command) -> Result<Reply, StoreError> {
    store.execute(partition, vec![command.clone()]).await.map(|mut replies| replies.remove(0))
}

/// Sends until it is answered, as the engine does.
async fn in_the_end(store: &RedisStore, partition: usize, command: &Command) -> Reply {
    wait::until("an answer", async || match to(store, partition, command).await {
        Ok(reply) => Some(reply),
        Err(StoreError::Unavailable { .. } | StoreError::Refused { .. }) => None,
        Err(other) => panic!("{other}"),
    })
    .await
}

fn create_of(id: &InstanceId) -> Command {
    Command::Create(create(id.as_str()))
}

/// Makes one instance in each partition, and gives their ids.
async fn one_in_each(store: &RedisStore) -> Vec<InstanceId> {
    let ids: Vec<InstanceId> = (0..store.partitions()).map(|partition| id_in(store, partition)).collect();
    for (partition, id) in ids.iter().enumerate() {
        assert_eq!(in_the_end(store, partition, &create_of(id)).await, made());
    }
    ids
}

fn refused(url: &str) -> String {
    match runtime().block_on(open(url)) {
        Err(StoreError::Refused { message, .. }) => message,
        other => panic!("{url} was not refused: {other:?}"),
    }
}

#[workflow]
async fn trip(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let own = step!("own", witness.ok("own", number)).await?;
    let child = leg(number).await?;
    sleep(20ms).await;
    let go = wait_for::<Go>("go").key("k").await;
    Ok(own + child + go.number)
}

#[workflow]
async fn leg(number: u64) -> workflow::Result<u64> {
    Ok(number)
}

async fn worker(url: &str, witness: &Witness) -> Engine {
    let builder = Engine::builder().store(url).namespace("shop").resource(witness.clone());
    builder.only::<(trip, leg)>().start().await.expect("it starts")
}

/// Everything a run needs, in all partitions, for so many runs; `meanwhile` happens while all wait.
async fn travel(url: &str, runs: u64, meanwhile: impl AsyncFnOnce()) -> TestResult {
    let witness = Witness::default();
    let engine = worker(url, &witness).await;
    let client = Engine::builder().store(url).namespace("shop").mode(Mode::Client).start().await?;
    let mut trips = Vec::new();
    for number in 0..runs {
        trips.push(trip::create(&client, number).id(format!("t{number}")).await?);
    }
    for trip in &trips {
        wait::state(trip, State::Waiting).await;
    }
    meanwhile().await;
    for (number, trip) in (0..).zip(&trips) {
        trip.send(Go { number }).key("k").id("go").await?;
    }
    for (number, trip) in (0..).zip(&trips) {
        assert_eq!(trip.result().await?, 3 * number);
    }
    let listed = client.list().of::<trip>().state(State::Complete).limit(1_000).await?.instances;
    assert_eq!(listed.len() as u64, runs);
    let own = witness.notes().iter().filter(|note| *note == "own").count();
    assert_eq!(own as u64, runs, "no body ran twice");
    engine.shutdown(wait::PATIENCE).await;
    Ok(())
}

#[test]
fn runs_spread_over_a_cluster_and_go_on_when_its_primaries_change() {
    let cluster = RedisCluster::start_with(&[], true);
    runtime().block_on(async {
        let store = open(&cluster.url()).await.expect("it opens");
        assert_eq!(store.partitions(), PARTITIONS);
        let facts = store.facts();
        assert!(facts.server.starts_with("Redis Cluster ") && facts.server.ends_with(", 3 primaries"), "{facts:?}");
        assert!(facts.durability.contains("a failover may lose"), "{facts:?}");
        assert!(facts.advice.is_some_and(|advice| advice.contains("set min-replicas-to-write 1")));
        let ids = one_in_each(&store).await;
        assert_eq!(store.overview().await.expect("it reads").ready, PARTITIONS as u64);
        let page = store.list(ListQuery::newest(100)).await.expect("it reads");
        assert_eq!(page.rows.iter().map(|row| &row.id).collect::<BTreeSet<_>>(), ids.iter().collect());
        let homes: BTreeSet<usize> = (0..PARTITIONS)
            .map(|partition| cluster.primary_of(cluster.slot_of(&format!("wf:{{links:{partition}}}:all"))))
            .collect();
        assert!(homes.len() > 1, "the partitions are on several nodes: {homes:?}");
        let change = async || {
            for primary in cluster.primaries() {
                cluster.failover(primary);
            }
        };
        travel(&cluster.url(), 24, change).await.expect("every run ends");
        // What had only waited is found where it is now.
        for (partition, id) in ids.iter().enumerate() {
            let again = in_the_end(&store, partition, &create_of(id)).await;
            assert!(matches!(again, Reply::Create(CreateReply::Exists { .. })), "{again:?}");
        }
    });
}

#[test]
fn runs_go_on_when_sentinels_put_a_replica_in_the_place_of_the_primary() {
    let sentinels = Sentinels::start_restricted(1, &[]);
    runtime().block_on(async {
        let store = open(&sentinels.url()).await.expect("it opens");
        assert_eq!(store.partitions(), 1);
        let facts = store.facts();
        assert!(facts.server.ends_with(", behind Sentinel"), "{facts:?}");
        assert!(facts.advice.is_some_and(|advice| advice.contains("set min-replicas-to-write 1")));
        let before = sentinels.primary();
        travel(&sentinels.url(), 8, async || assert_ne!(sentinels.failover(), before)).await.expect("every run ends");
        assert_ne!(sentinels.primary(), before);
        assert_eq!(in_the_end(&store, 0, &create_of(&id("after"))).await, made());
        let key = ["EXISTS", "wf:{links:0}:i:after"];
        let found: u64 = from_redis_value(sentinels.node(sentinels.primary()).command(&key)).expect("a number");
        assert_eq!(found, 1, "it is on the primary");
    });
}

#[test]
fn a_primary_that_is_frozen_is_left_for_the_one_that_takes_its_place() {
    let mut sentinels = Sentinels::start(1, &[]);
    runtime().block_on(async {
        let store = open(&sentinels.url()).await.expect("it opens");
        assert_eq!(in_the_end(&store, 0, &create_of(&id("before"))).await, made());
        let frozen = sentinels.primary();
        sentinels.pause(frozen);
        // It was asked before anybody knew that it is frozen, and takes connections all the time.
        let create = create_of(&id("after"));
        assert_eq!(in_the_end(&store, 0, &create).await, made());
        assert!(store.inspect(id("after")).await.expect("it reads").is_some());
        assert_ne!(sentinels.primary(), frozen);
        sentinels.resume(frozen);
        sentinels.wait_until_settled();
        assert_eq!(in_the_end(&store, 0, &create_of(&id("last"))).await, made());
    });
}

#[test]
fn a_partition_pauses_while_its_slot_moves_and_no_other_does() {
    let cluster = RedisCluster::start_with(&[], true);
    runtime().block_on(async {
        let store = open(&cluster.url()).await.expect("it opens");
        let ids = one_in_each(&store).await;
        let key = format!("wf:{{links:0}}:i:{}", ids[0]);
        let slot = cluster.slot_of(&key);
        let from = cluster.primary_of(slot);
        let to_node = cluster.primaries().into_iter().find(|node| *node != from).expect("there are three");
        let name = |node: usize| -> String {
            from_redis_value(cluster.node(node).command(&["CLUSTER", "MYID"])).expect("a name")
        };
        let number = slot.to_string();
        cluster.node(to_node).command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &name(from)]);
        cluster.node(from).command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &name(to_node)]);
        // The instance goes first: what reads it alone follows it.
        let port = cluster.node(to_node).port().to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, &key, "0", "5000", "AUTH2", "harness", "harness"];
        cluster.node(from).command(&migrate);
        assert!(store.inspect(ids[0].clone()).await.expect("it follows").is_some());
        let new = id_in_after(&store, 0, &ids[0]);
        match to(&store, 0, &create_of(&new)).await {
            Err(StoreError::Unavailable { message, .. }) => assert!(message.contains("pauses"), "{message}"),
            other => panic!("a script has all its keys in one place or none: {other:?}"),
        }
        let other = (1..PARTITIONS).find(|partition| !same_slot(&cluster, slot, *partition)).expect("one of eight");
        let elsewhere = id_in_after(&store, other, &ids[other]);
        assert_eq!(to(&store, other, &create_of(&elsewhere)).await.expect("another slot rests"), made());
        cluster.move_slot(slot, from, to_node);
        assert_eq!(in_the_end(&store, 0, &create_of(&new)).await, made());
        let found = store.inspect(ids[0].clone()).await.expect("it reads");
        assert!(found.is_some(), "it is where its slot is");
    });
}

fn id_in_after(store: &RedisStore, partition: usize, other: &InstanceId) -> InstanceId {
    let mut ids = (0..).map(|number| id(&format!("i{number}")));
    ids.find(|id| store.partition_of(id) == partition && id != other).expect("every partition has ids")
}

fn same_slot(cluster: &RedisCluster, slot: u16, partition: usize) -> bool {
    cluster.slot_of(&format!("wf:{{links:{partition}}}:all")) == slot
}

#[test]
fn a_heart_beats_wherever_it_can_and_tells_where_it_cannot() {
    let mut cluster = RedisCluster::start();
    // Nobody takes the place of the frozen one while it is looked at.
    for node in 0..cluster.len() {
        cluster.node(node).command(&["CONFIG", "SET", "cluster-node-timeout", "60000"]);
    }
    runtime().block_on(async {
        let store = open(&cluster.url()).await.expect("it opens");
        for partition in 0..PARTITIONS {
            in_the_end(&store, partition, &Command::OpenSession { session: SESSION, lease: LEASE }).await;
        }
        let homes: Vec<usize> = (0..PARTITIONS)
            .map(|partition| cluster.primary_of(cluster.slot_of(&format!("wf:{{links:{partition}}}:beats"))))
            .collect();
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, LEASE).expect("all answer"), Beat::Alive);
        cluster.pause(homes[0]);
        let told = heart.beat(SESSION, Duration::from_millis(900)).expect_err("one does not answer").to_string();
        assert!(told.contains(&format!("127.0.0.1:{}", cluster.node(homes[0]).port())), "{told}");
        cluster.resume(homes[0]);
        let beats = |partition: usize| -> Vec<u64> {
            let key = format!("wf:{{links:{partition}}}:beats");
            from_redis_value(cluster.node(homes[partition]).command(&["HVALS", &key])).expect("numbers")
        };
        for partition in (0..PARTITIONS).filter(|partition| homes[*partition] != homes[0]) {
            assert_eq!(beats(partition), [2], "partition {partition} is elsewhere");
        }
        let beat = wait::until("a beat", || std::future::ready(heart.beat(SESSION, LEASE).ok())).await;
        assert_eq!(beat, Beat::Alive);
    });
}

/// How many listen to the hints of a partition, where they are told.
fn listeners(cluster: &RedisCluster, partition: usize) -> usize {
    let channel = format!("wf:{{links:{partition}}}:hints");
    let home = cluster.primary_of(cluster.slot_of(&channel));
    let words = cluster.node(home).command(&["PUBSUB", "SHARDNUMSUB", &channel]);
    from_redis_value::<(String, usize)>(words).expect("a channel and a number").1
}

async fn all_listen(cluster: &RedisCluster, stores: usize) {
    wait::until("all listen to all", async || {
        (0..PARTITIONS).all(|partition| listeners(cluster, partition) == stores).then_some(())
    })
    .await;
}

/// Makes an instance in each partition, of which there is a hint each.
async fn is_heard(teller: &RedisStore, hints: &mut Receiver<Hinted>, round: usize) {
    for partition in 0..PARTITIONS {
        let id = id_that_begins(teller, partition, &format!("round-{round}-"));
        assert_eq!(in_the_end(teller, partition, &create_of(&id)).await, made());
        while hear(hints, &ready()).await != Some(partition) {}
    }
}

/// How often something was published.
fn published(cluster: &RedisCluster) -> usize {
    let of_node = |node: usize| ["publish", "spublish"].map(|command| commands_run(cluster.node(node), command));
    (0..cluster.len()).flat_map(of_node).sum()
}

#[test]
fn a_hint_is_heard_wherever_its_partition_goes() {
    let cluster = RedisCluster::start_with(&[], true);
    runtime().block_on(async {
        let (one, two) = (open(&cluster.url()).await.expect("it opens"), open(&cluster.url()).await.expect("it opens"));
        let mut hints = two.hints();
        all_listen(&cluster, 2).await;
        is_heard(&one, &mut hints, 0).await;
        for primary in cluster.primaries() {
            cluster.failover(primary);
        }
        all_listen(&cluster, 2).await;
        is_heard(&one, &mut hints, 1).await;
        let slot = cluster.slot_of("wf:{links:0}:hints");
        let from = cluster.primary_of(slot);
        let target = cluster.primaries().into_iter().find(|node| *node != from).expect("there are three");
        cluster.move_slot(slot, from, target);
        all_listen(&cluster, 2).await;
        is_heard(&one, &mut hints, 2).await;
    });
}

#[test]
fn on_a_cluster_nothing_is_published_when_nobody_else_listens() {
    let cluster = RedisCluster::start_with(&[], true);
    runtime().block_on(async {
        let one = open(&cluster.url()).await.expect("it opens");
        let mut own = one.hints();
        all_listen(&cluster, 1).await;
        // The servers know that it listens a moment before it knows so itself.
        let (mut round, mut before, mut now) = (0, 0, 1);
        while now > before {
            round += 1;
            assert!(round < 1_000, "something is published still");
            before = published(&cluster);
            is_heard(&one, &mut own, round).await;
            now = published(&cluster);
        }
        let _two = open(&cluster.url()).await.expect("it opens");
        all_listen(&cluster, 2).await;
        is_heard(&one, &mut own, round + 1).await;
        assert_eq!(published(&cluster), now + PARTITIONS, "one of each");
    });
}

#[test]
fn a_url_of_the_wrong_kind_is_refused_and_says_which_is_right() {
    let server = RedisServer::start_on_tcp(&[]);
    let sentinels = Sentinels::start(1, &[]);
    let at = |port: u16| format!("127.0.0.1:{port}");
    let (single, sentinel) = (at(server.port()), at(sentinels.sentinel_port(0)));
    let replica = at(sentinels.node(1 - sentinels.primary()).port());
    let lone = RedisServer::start_on_tcp(&[("cluster-enabled", "yes")]);
    for (url, words) in [
        (format!("redis+cluster://{single}"), "is no node of a cluster: write redis://"),
        (format!("redis+sentinel://{single}/shop"), "is no sentinel: of a single server write redis://"),
        (format!("redis+sentinel://{sentinel}/nothing"), "knows no service nothing"),
        (format!("redis://{sentinel}"), "it is a sentinel: write redis+sentinel://"),
        (format!("redis://{replica}"), "it is a replica and takes no writes"),
        (format!("redis://{}", at(lone.port())), "it is part of a cluster: write redis+cluster://"),
    ] {
        let said = refused(&url);
        assert!(said.contains(words), "{url}: {said}");
    }
    let unassigned = format!("redis+cluster://{}", at(lone.port()));
    match runtime().block_on(open(&unassigned)) {
        Err(StoreError::Unavailable { message, .. }) => assert!(message.contains("no node has the slots"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_right_that_clusters_need_is_asked_for_on_every_node() {
    let cluster = RedisCluster::start_with(&[], true);
    let with = |rule: &str| {
        for node in 0..cluster.len() {
            cluster.node(node).command(&["ACL", "SETUSER", "default", rule]);
        }
    };
    for (right, named) in [("asking", "+asking"), ("cluster|slots", "cluster")] {
        with(&format!("-{right}"));
        let said = refused(&cluster.url());
        assert!(said.contains(named), "{right}: {said}");
        with(&format!("+{right}"));
    }
    // One node is enough, whichever it is.
    for node in cluster.primaries() {
        cluster.node(node).command(&["ACL", "SETUSER", "default", "-zadd"]);
        let said = refused(&cluster.url());
        assert!(said.contains("+zadd"), "{said}");
        cluster.node(node).command(&["ACL", "SETUSER", "default", "+zadd"]);
    }
    runtime().block_on(open(&cluster.url())).expect("nothing is missing");
}

#[test]
fn sentinels_are_asked_with_a_login_of_their_own() {
    let sentinels = Sentinels::start(0, &[]);
    for sentinel in 0..3 {
        // The rights that the docs name.
        let line = ["ACL", "SETUSER", "watch", "on", ">s3cret", "-@all", "+auth"];
        let rights = ["+sentinel|get-master-addr-by-name", "+sentinel|master"];
        sentinels.try_sentinel(sentinel, &[&line[..], &rights[..]].concat()).expect("a sentinel has users");
        sentinels.try_sentinel(sentinel, &["ACL", "SETUSER", "default", "-sentinel"]).expect("it has");
    }
    let without = refused(&sentinels.url());
    assert!(without.contains("sentinel"), "{without}");
    let url = format!("{}?sentinel_user=watch&sentinel_pass=s3cret", sentinels.url());
    runtime().block_on(async {
        let store = open(&url).await.expect("it may ask");
        assert_eq!(in_the_end(&store, 0, &create_of(&id("a"))).await, made());
        assert!(!format!("{store:?} {}", store.describe()).contains("s3cret"));
    });
    let wrong = refused(&url.replace("=s3cret", "=guess"));
    assert!(wrong.contains("password") && !wrong.contains("guess"), "{wrong}");
}

#[test]
fn one_who_knows_is_enough_and_without_any_the_error_names_them() {
    let mut sentinels = Sentinels::start(1, &[]);
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let silent = format!("127.0.0.1:{}", silent.local_addr().expect("bound").port());
    let url = sentinels.url().replace("://", &format!("://{silent},"));
    runtime().block_on(async {
        sentinels.kill_sentinel(0);
        let store = open(&url).await.expect("others know");
        assert_eq!(in_the_end(&store, 0, &create_of(&id("a"))).await, made());
        for sentinel in 1..3 {
            sentinels.kill_sentinel(sentinel);
        }
        // Who is there already needs nobody to say where the primary is.
        assert_eq!(to(&store, 0, &create_of(&id("b"))).await.expect("it is answered"), made());
        match open(&url).await {
            Err(StoreError::Unavailable { message, .. }) => {
                for sentinel in 0..3 {
                    let named = format!("127.0.0.1:{}: ", sentinels.sentinel_port(sentinel));
                    assert!(message.contains(&named), "{named}: {message}");
                }
            }
            other => panic!("{other:?}"),
        }
    });
}
