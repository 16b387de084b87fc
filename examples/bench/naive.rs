//! The same work as `wf3`, written directly with single Redis commands as a careful user would: the baseline.
//!
//! What it keeps: every instance in a hash, each result of a step in a second one, a history in a list, a lock that ends
//! by itself, what is queued, under way and finished in sorted sets by state, a queue, and a list of what was taken from
//! it, so that what a crashed process took could be given back; what is done is published and expires after a day. What
//! it does not do, and the engine does: a transition is not atomic, a late worker is not fenced, and there are no
//! timers, events, retries, priorities or idempotent ids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands as _, Client};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::window::check;
use crate::{AnyError, progress};

const QUEUE: &str = "naive:queue";
const ACTIVE: &str = "naive:active";
const DONE: &str = "naive:done";

/// After so many creates others have a turn.
const BATCH: usize = 100;

/// Who waits for which instance.
type Waiters = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

/// Batches of 100, at most `in_flight` instances between their creation and their result.
pub(crate) async fn wf3(url: &str, workflows: usize, in_flight: usize) -> Result<Vec<Duration>, AnyError> {
    let client = Client::open(url)?;
    let connection = client.get_multiplexed_async_connection().await?;
    let waiters = Waiters::default();
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(DONE).await?;
    let hearing = tokio::spawn(tell(pubsub, waiters.clone()));
    let working = tokio::spawn(work(client.get_multiplexed_async_connection().await?, connection.clone(), workflows));

    let places = Arc::new(Semaphore::new(in_flight));
    let mut waiting = JoinSet::new();
    for number in 0..workflows {
        let place = places.clone().acquire_owned().await?;
        let (mut connection, waiters) = (connection.clone(), waiters.clone());
        waiting.spawn(async move {
            let began = Instant::now();
            let id = format!("naive:{number:032}");
            let (done, finished) = oneshot::channel();
            waiters.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), done);
            create(&mut connection, &id).await?;
            finished.await?;
            let output: String = connection.hget(&id, "output").await?;
            drop(place);
            progress::one_ended();
            check(&output.as_str(), &"[1,2,3]", &id)?;
            Ok::<_, AnyError>(began.elapsed())
        });
        if number % BATCH == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut latencies = Vec::with_capacity(workflows);
    while let Some(latency) = waiting.join_next().await {
        latencies.push(latency??);
    }
    working.await??;
    hearing.abort();
    Ok(latencies)
}

async fn create(redis: &mut MultiplexedConnection, id: &str) -> Result<(), AnyError> {
    let fields = [("workflow", "three_steps"), ("state", "queued"), ("input", "null")];
    let (): () = redis.hset_multiple(id, &fields).await?;
    let (): () = redis.zadd("naive:queued", id, now()).await?;
    let (): () = redis.lpush(QUEUE, id).await?;
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Takes from the queue, as many as there are in all, and runs each in a task of its own.
async fn work(
    mut taking: MultiplexedConnection,
    connection: MultiplexedConnection,
    workflows: usize,
) -> Result<(), AnyError> {
    let mut running = JoinSet::new();
    for _ in 0..workflows {
        let id: String =
            redis::cmd("BLMOVE").arg(&[QUEUE, ACTIVE, "RIGHT", "LEFT", "0"]).query_async(&mut taking).await?;
        running.spawn(run(connection.clone(), id));
        while let Some(ended) = running.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

async fn run(mut redis: MultiplexedConnection, id: String) -> Result<(), AnyError> {
    let (lock, steps, history) = (format!("{id}:lock"), format!("{id}:steps"), format!("{id}:history"));
    let taken: Option<String> =
        redis::cmd("SET").arg(&[&lock, "worker", "NX", "PX", "10000"]).query_async(&mut redis).await?;
    check(&taken.as_deref(), &Some("OK"), &lock)?;
    let instance: HashMap<String, String> = redis.hgetall(&id).await?;
    check(&instance.get("workflow").map(String::as_str), &Some("three_steps"), &id)?;
    set_state(&mut redis, &id, "queued", "running").await?;
    let mut results = Vec::new();
    for (name, value) in [("Step 1", 1_u32), ("Step 2", 2), ("Step 3", 3)] {
        // What an earlier execution recorded is not run again.
        let recorded: Option<String> = redis.hget(&steps, name).await?;
        let result = match recorded {
            Some(text) => serde_json::from_str(&text)?,
            None => {
                let (): () = redis.hset(&steps, name, serde_json::to_string(&value)?).await?;
                let (): () = redis.rpush(&history, format!("{name} completed at {}", now())).await?;
                let (): () = redis.pexpire(&lock, 10_000).await?;
                value
            }
        };
        results.push(result);
    }
    let (): () = redis.hset(&id, "output", serde_json::to_string(&results)?).await?;
    set_state(&mut redis, &id, "running", "complete").await?;
    for key in [&id, &steps, &history] {
        let (): () = redis.expire(key, 86_400).await?;
    }
    let (): () = redis.lrem(ACTIVE, 1, &id).await?;
    let (): () = redis.del(&lock).await?;
    let (): () = redis.publish(DONE, &id).await?;
    Ok(())
}

async fn set_state(redis: &mut MultiplexedConnection, id: &str, from: &str, to: &str) -> Result<(), AnyError> {
    let (): () = redis.hset_multiple(id, &[("state", to), ("updated", &now().to_string())]).await?;
    let (): () = redis.zrem(format!("naive:{from}"), id).await?;
    let (): () = redis.zadd(format!("naive:{to}"), id, now()).await?;
    Ok(())
}

async fn tell(mut pubsub: PubSub, waiters: Waiters) {
    use futures::StreamExt as _;
    let mut messages = pubsub.on_message();
    while let Some(message) = messages.next().await {
        let Ok(id) = message.get_payload::<String>() else { continue };
        if let Some(waiter) = waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            // It may have given up.
            let _ = waiter.send(());
        }
    }
}
