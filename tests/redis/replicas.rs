//! `?replicas=n`: a write is acknowledged when so many replicas have it, and not before.

use support::prelude::*;
use support::redis::RedisServer;
use workflow::journal::command::{Command, Ending, Then};
use workflow::store::redis::RedisStore;
use workflow::store::{Store, StoreError};
use workflow::words::payload::Payload;

use super::stage::{create, in_the_end, made, once, open, own, runtime, start, write};

fn primary_and_replica() -> (RedisServer, RedisServer) {
    let primary = RedisServer::start_on_tcp(&[]);
    let replica = RedisServer::start_with(&[("replicaof", &format!("127.0.0.1 {}", primary.port()))]);
    (primary, replica)
}

/// Waits until the replica takes what the primary is given.
async fn connected(primary: &RedisServer) {
    let one = async || {
        let info: String = redis::from_redis_value(primary.command(&["INFO", "replication"])).expect("a text");
        info.contains("state=online").then_some(())
    };
    wait::until("the replica is connected", one).await;
}

#[test]
fn a_write_that_too_few_replicas_have_is_not_acknowledged_until_they_do() {
    let (primary, replica) = primary_and_replica();
    runtime().block_on(async {
        connected(&primary).await;
        let store = open(&format!("{}/?replicas=1", primary.url())).await.expect("it opens");
        assert!(store.describe().ends_with("?replicas=1"), "{}", store.describe());
        assert!(store.facts().durability.contains("only when 1 replicas have it"), "{}", store.facts().durability);
        assert_eq!(once(&store, Command::Create(create("a"))).await.expect("it is acknowledged"), made());
        let has = |id: &str| replica.command(&["EXISTS", &format!("wf:{{links:0}}:i:{id}")]) == redis::Value::Int(1);
        assert!(has("a"), "what is acknowledged is on the replica");
        replica.pause();
        let create = Command::Create(create("b"));
        for _ in 0..2 {
            match once(&store, create.clone()).await {
                Err(StoreError::Unavailable { message, .. }) => {
                    assert!(message.starts_with("0 of 1 replicas have it"), "{message}");
                }
                other => panic!("nobody else has it: {other:?}"),
            }
        }
        store.overview().await.expect("what is read waits for nobody");
        replica.resume();
        assert_eq!(in_the_end(&store, &create).await, made(), "the first outcome, for it is the same request");
        assert!(has("b"));
        let again = once(&store, Command::Create(super::stage::create("b"))).await.expect("it is answered");
        assert_ne!(again, made(), "it was made once");
    });
}

/// The end that another process wrote, and that no replica has yet, may be taken back by a failover.
#[test]
fn an_end_that_too_few_replicas_have_is_not_told() {
    let (primary, replica) = primary_and_replica();
    runtime().block_on(async {
        connected(&primary).await;
        let careless = open(&primary.url()).await.expect("it opens");
        let careful = open(&format!("{}/?replicas=1", primary.url())).await.expect("it opens");
        let owner = start(&careless, "a").await;
        let id = owner.id.clone();
        replica.pause();
        let state = async |store: &RedisStore| {
            let instance = store.inspect(id.clone()).await?;
            Ok::<_, StoreError>(instance.expect("it is there").head.state())
        };
        assert_eq!(state(&careful).await.expect("what runs is no promise"), State::Running);
        let ending = Ending { result: Ok(Payload::from_bytes(*b"1")) };
        own(&careless, &owner, write(Vec::new(), Then::Finish(ending))).await;
        assert_eq!(state(&careless).await.expect("it waits for nobody"), State::Complete);
        let told = state(&careful).await.expect_err("no replica has it").to_string();
        assert!(told.contains("0 of 1 replicas have it"), "{told}");
        replica.resume();
        let told = async || state(&careful).await.ok();
        assert_eq!(wait::until("it is told", told).await, State::Complete);
    });
}

#[workflow]
async fn three(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("one", witness.ok("one", 1)).await?;
    step!("two", witness.held("two", 2)).await?;
    Ok(step!("three", witness.ok("three", 3)).await?)
}

/// A worker waits as long as it must, does nothing twice, and says what it waits for.
#[test]
fn a_worker_goes_on_when_its_replicas_come_back() {
    let (primary, replica) = primary_and_replica();
    runtime().block_on(async {
        connected(&primary).await;
        let witness = Witness::default();
        let url = format!("{}/?replicas=1", primary.url());
        let builder = Engine::builder().store(&url).namespace("links").lease(Duration::from_secs(60));
        let worker = builder.resource(witness.clone()).only::<(three,)>().start().await.expect("it starts");
        let instance = three::create(&worker).await.expect("it is made");
        witness.ran("two", 1).await;
        replica.pause();
        witness.open("two");
        let waits = async || {
            let error = worker.health().store.last_error?;
            error.contains("0 of 1 replicas have it").then_some(())
        };
        wait::until("it says what it waits for", waits).await;
        assert_eq!(witness.count("three"), 0, "nothing begins that follows from what is not acknowledged");
        replica.resume();
        assert_eq!(instance.result().await.expect("it ends"), 3);
        assert_eq!(["one", "two", "three"].map(|step| witness.count(step)), [1, 1, 1]);
        worker.shutdown(wait::PATIENCE).await;
    });
}

#[test]
fn a_server_with_fewer_replicas_than_asked_for_is_refused_and_nothing_is_written() {
    let server = RedisServer::start();
    let url = format!("{}?replicas=2", server.url());
    match runtime().block_on(open(&url)) {
        Err(StoreError::Refused { message, .. }) => {
            assert!(message.contains("asks for replicas=2, and 0 replicas are connected to "), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(redis::from_redis_value::<Vec<String>>(server.command(&["KEYS", "*"])).expect("keys").is_empty());
}
