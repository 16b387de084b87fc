//! A process for the durability tests: runs instances until it is killed, or creates them and writes down which were
//! acknowledged, or lists them. Started by `support::worker`.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use support::effects::Effects;
use support::load::{Hands, delivery, parcel, trip};
use support::worker::{CREATE, READ, RUN};
use workflow::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [RUN, store, lease_ms, concurrency, step_time_ms, effects] => {
            let hands = Hands { effects: Effects::open(&PathBuf::from(effects))?, step_time: millis(step_time_ms)? };
            run(store, millis(lease_ms)?, concurrency.parse()?, hands).await
        }
        [CREATE, store, prefix, effects] => create(store, prefix, &Effects::open(&PathBuf::from(effects))?).await,
        [READ, store, effects] => read(store, &Effects::open(&PathBuf::from(effects))?).await,
        _ => Err("started by the durability tests only".into()),
    }
}

fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    Ok(Duration::from_millis(text.parse()?))
}

/// Runs parcels and deliveries until it is killed.
async fn run(
    store: &str,
    lease: Duration,
    concurrency: usize,
    hands: Hands,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let _engine = Engine::builder()
        .store(store)
        .mode(Mode::Worker)
        .lease(lease)
        .concurrency(concurrency)
        .resource(hands)
        .only::<(parcel, delivery, trip)>()
        .start()
        .await?;
    std::future::pending().await
}

/// Creates parcels until it is killed; each is written down once its create is acknowledged.
async fn create(store: &str, prefix: &str, effects: &Effects) -> Result<(), Box<dyn Error + Send + Sync>> {
    let engine = Engine::builder().store(store).mode(Mode::Client).start().await?;
    for number in 0_u64.. {
        let id = format!("{prefix}-{number}");
        parcel::create(&engine, number, false).id(&id).await?;
        effects.begin(&id, "created", 1)?;
    }
    Ok(())
}

/// Lists instances until it is killed; each is written down once it is seen to wait. It tries to write once: that must be
/// refused.
async fn read(store: &str, effects: &Effects) -> Result<(), Box<dyn Error + Send + Sync>> {
    let engine = Engine::builder().store(store).mode(Mode::Client).start().await?;
    match parcel::create(&engine, 0, false).id("of-the-reader").await {
        Err(EngineError::Store(_)) => effects.begin("of-the-reader", "refused", 1)?,
        other => return Err(format!("a reader wrote: {other:?}").into()),
    }
    let mut seen = BTreeSet::new();
    loop {
        for instance in engine.list().state(State::Waiting).limit(1_000).await?.instances {
            if seen.insert(instance.id.clone()) {
                effects.begin(&instance.id, "seen", 1)?;
            }
        }
    }
}
