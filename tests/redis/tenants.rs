//! Namespaces on one server: whatever they are called, no key and no channel is that of two, and everything that one
//! instance has is on one node of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use support::prelude::*;
use support::redis::RedisServer;

use super::stage::runtime;

/// Names of which some begin with others, or look like what is put behind them.
const NAMESPACES: [&str; 9] = ["a", "a:0", "a:0:0", "a:1", "A", "a:0:ready", "a:0:i:same", "a-meta", "0"];

#[workflow(name = "tenant")]
async fn tenant(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("own", witness.ok("own", number)).await?;
    let child = tenant_child(number).await?;
    let go = wait_for::<Go>("go").await;
    Ok(child + go.number)
}

#[workflow(name = "tenant.child")]
async fn tenant_child(number: u64) -> workflow::Result<u64> {
    Ok(wait_for::<Go>("go").await.number + number)
}

/// What a server has at one time of a namespace's life: keys, and channels that are listened to.
type Left = BTreeSet<Vec<u8>>;

fn look(server: &RedisServer, into: &mut Left) {
    for words in [&["KEYS", "*"][..], &["PUBSUB", "CHANNELS"]] {
        let names: Vec<Vec<u8>> = redis::from_redis_value(server.command(words)).expect("names");
        into.extend(names);
    }
}

/// Lives through everything that makes keys.
async fn live(server: &RedisServer, namespace: &str, ids: &[&str]) -> Result<Left, EngineError> {
    let mut left = Left::new();
    let url = format!("{}?partitions=2&ids=1", server.url());
    let engine = || Engine::builder().store(url.as_str()).namespace(namespace).resource(Witness::default());
    let worker = engine()
        .only::<(tenant, tenant_child)>()
        .workflow_concurrency::<tenant>(50)
        .rate_limit("default", 1_000, Duration::from_secs(1))
        .start()
        .await?;
    for id in ids {
        let instance = tenant::create(&worker, 1).id(*id).await?;
        let child = wait::until("the child is there", async || {
            let all = worker.list().of::<tenant_child>().await.ok()?.instances;
            all.into_iter().find(|child| child.id.starts_with(&format!("{id}~")) && child.state == State::Waiting)
        });
        let child = child.await;
        // Events that nobody waits for stay in the mailbox.
        instance.send_type("unread", 1).await?;
        look(server, &mut left);
        instance.pause().await?;
        look(server, &mut left);
        instance.resume().await?;
        worker.instance(&child.id).await?.send(Go { number: 1 }).await?;
        instance.send(Go { number: 2 }).await?;
        assert_eq!(instance.result().await.expect("it ends"), 4);
        instance.restart().await?;
        instance.terminate("enough").await?;
        look(server, &mut left);
    }
    tenant::create(&worker, 1).id("later").start_at(std::time::SystemTime::now() + Duration::from_secs(3_600)).await?;
    look(server, &mut left);
    worker.shutdown(wait::PATIENCE).await;
    look(server, &mut left);
    Ok(left)
}

#[test]
fn no_key_and_no_channel_is_that_of_two_namespaces() {
    runtime().block_on(keys_and_channels());
}

async fn keys_and_channels() {
    let mut owners: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    for namespace in NAMESPACES {
        // Each on a server of its own, so that what is found is its own.
        let server = RedisServer::start();
        let left = live(&server, namespace, &["same", "a:0", "ready", "0"]).await.expect("it lives");
        assert!(left.len() > 40, "{namespace}: {}", left.len());
        for name in left {
            let shown = String::from_utf8_lossy(&name).into_owned();
            let other = owners.insert(name, namespace).filter(|other| *other != namespace);
            assert_eq!(other, None, "{shown} is of {namespace} too");
        }
    }
}

/// The slot of a key, as the specification of clusters has it: the CRC of what stands in its first braces.
fn slot(key: &[u8]) -> u16 {
    let open = key.iter().position(|byte| *byte == b'{');
    let tag = open.and_then(|open| {
        let length = key[open + 1..].iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        Some(&key[open + 1..open + 1 + length])
    });
    let mut crc = 0_u16;
    for byte in tag.unwrap_or(key) {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % 16_384
}

#[test]
fn everything_of_a_partition_is_in_one_slot_whatever_ids_are_called() {
    runtime().block_on(slots_of_keys());
}

async fn slots_of_keys() {
    let ids = ["x", "a:b", "~", "-", "0", "i:x", "m:x", ".", "..", "@all", "a:0", "ready", "meta", "+OK"];
    let server = RedisServer::start();
    let cluster = RedisServer::start_on_tcp(&[("cluster-enabled", "yes")]);
    for namespace in ["a", "a:0"] {
        let left = live(&server, namespace, &ids).await.expect("it lives");
        let mut slots: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
        for name in left.iter().filter(|name| name.starts_with(format!("wf:{{{namespace}:").as_bytes())) {
            let text = std::str::from_utf8(name).expect("names are plain");
            let (tag, _) = text.split_once('}').expect("a tag");
            assert_eq!(text.matches(['{', '}']).count(), 2, "{text} has one tag");
            let asked: u16 = redis::from_redis_value(cluster.command(&["CLUSTER", "KEYSLOT", text])).expect("a slot");
            assert_eq!(slot(name), asked, "{text}");
            slots.entry(tag.to_owned()).or_default().insert(asked);
        }
        assert!(slots.len() >= 2, "both partitions have something: {slots:?}");
        assert!(slots.values().all(|slots| slots.len() == 1), "{slots:?}");
    }
    assert_eq!(slot(b"123456789"), 12_739);
}
