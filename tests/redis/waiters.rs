//! Many thousands that wait for results in one process: no connection more, and no question more than each needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::in_front::{Between, InFront};
use support::prelude::*;
use support::redis::RedisServer;
use tokio::task::JoinSet;
use workflow::store::{BoxFuture, Snapshot, Store, StoreError};
use workflow::words::id::InstanceId;

use super::stage::open;

const WAITERS: usize = 10_000;
/// Instances in one batch.
const BATCH: usize = 1_000;

#[workflow]
async fn answers(number: usize) -> workflow::Result<usize> {
    Ok(number)
}

/// Counts how often an instance is looked at.
#[derive(Debug, Default)]
struct Looks(AtomicUsize);

impl Looks {
    fn counted(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Between for Looks {
    fn inspect<'a>(
        &'a self,
        store: &'a dyn Store,
        id: InstanceId,
    ) -> BoxFuture<'a, Result<Option<Snapshot>, StoreError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        store.inspect(id)
    }
}

fn connections(server: &RedisServer) -> usize {
    match server.command(&["CLIENT", "LIST"]) {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).lines().count(),
        redis::Value::VerbatimString { text, .. } => text.lines().count(),
        other => panic!("not a list of clients: {other:?}"),
    }
}

#[test]
fn ten_thousand_wait_on_the_connections_there_are_and_look_once_or_twice() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let server = RedisServer::start();
        let inner = Arc::new(open(&server.url()).await.expect("it opens"));
        let store = Arc::new(InFront::of(inner, Looks::default()));
        let client = Engine::builder().mode(Mode::Client).namespace("links").store(store.clone() as Arc<dyn Store>);
        let client = client.start().await.expect("it starts");
        let mut instances = Vec::new();
        for first in (0..WAITERS).step_by(BATCH) {
            let batch = (first..first + BATCH).map(answers::new);
            let made = answers::create_batch(&client, batch).await.expect("it is answered");
            instances.extend(made.into_iter().map(|made| made.expect("it is created")));
        }
        assert_eq!(instances.len(), WAITERS);
        let alone = connections(&server);

        let begun = Arc::new(AtomicUsize::new(0));
        let mut waiting = JoinSet::new();
        for (number, instance) in instances.into_iter().enumerate() {
            let begun = begun.clone();
            // Every other one is a handle that did not create it, and must look first.
            let instance = if number % 2 == 0 {
                instance
            } else {
                answers::get(&client, instance.id()).await.expect("it is there")
            };
            waiting.spawn(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                assert_eq!(instance.result().await.expect("it ends"), number);
            });
        }
        wait::until("all wait", async || (begun.load(Ordering::SeqCst) == WAITERS).then_some(())).await;
        assert_eq!(connections(&server), alone, "who waits has no connection of its own");

        let looked_up = WAITERS / 2;
        let worker = Engine::builder().mode(Mode::Worker).namespace("links").store(server.url()).only::<(answers,)>();
        let worker = worker.start().await.expect("it starts");
        while let Some(waited) = waiting.join_next().await {
            waited.expect("it got its own result");
        }
        // The worker's own: for scripts, for reads, for hints and for its heart.
        assert!(connections(&server) <= alone + 4, "{} connections", connections(&server));
        // Once to begin with, where it is not known to be new, and once after the hint; the rest is for hints that were
        // late for a batch, which a slow machine may see.
        let looks = store.counted() - looked_up;
        assert!((WAITERS..=WAITERS * 2).contains(&looks), "{looks} looks of {WAITERS} waiters");
        drop((worker, client));
    });
}
