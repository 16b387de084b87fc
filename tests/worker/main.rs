//! A process for the durability tests: runs instances until it is killed or asked to end, or creates them and writes down
//! which were acknowledged, or makes deliveries until they
//! have ended, or lists instances, or dies at a named place, or calls ledgers. Started by `support::worker`.

mod calling;
mod failing;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use support::chores::{linger, stumble};
use support::effects::Effects;
use support::errands::{Runner, errand, fetch};
use support::failpoints::{Failing, Failpoint, Fate, Trap};
use support::in_front::InFront;
use support::ledger::ledger;
use support::load::{Hands, Paid, delivery, parcel, stone, trip};
use support::poison::{explosive, harmless, unreadable};
use support::receipts::{crew::RECEIPTS, work};
use support::versions::{broken, first, second};
use support::worker::{CALL, CREATE, DELIVER, FAIL, HOLD, READ, READY, RUN, Serves};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use workflow::prelude::*;
use workflow::store::Store;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_ansi(false).without_time();
    log.with_writer(|| Said).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [HOLD, point, file, arguments @ ..] => {
            let point = Failpoint::named(point).ok_or("no such failpoint")?;
            work(arguments, Some(Trap::new(point, 1, Fate::WaitsFor(PathBuf::from(file))))).await
        }
        [RUN, ..] => work(&words, None).await,
        [CREATE, store, prefix, effects] => create(store, prefix, &Effects::open(&PathBuf::from(effects))?).await,
        [READ, store, effects] => read(store, &Effects::open(&PathBuf::from(effects))?).await,
        [CALL, store, seed, from, to, calls] => {
            calling::call(store, seed.parse()?, [from.parse()?, to.parse()?], calls).await
        }
        [FAIL, arguments @ ..] => failing::fail(arguments).await,
        [DELIVER, store, deliveries, results] => {
            deliver(store, deliveries.parse()?, &Effects::open(&PathBuf::from(results))?).await
        }
        [RECEIPTS, rest @ ..] => work::process(rest).await,
        _ => Err("started by the durability tests only".into()),
    }
}

fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    Ok(Duration::from_millis(text.parse()?))
}

/// Standard error, each line with the process it comes from: many write into one log.
struct Said;

impl Write for Said {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // One write, so that lines of two processes do not mix.
        let whole = [std::process::id().to_string().as_bytes(), b" ", line].concat();
        std::io::stderr().write_all(&whole).map(|()| line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn serving(engine: EngineBuilder, serves: Serves, effects: Effects, step_time: Duration) -> EngineBuilder {
    let errands = |engine: EngineBuilder| engine.resource(Runner::new(effects.clone(), step_time));
    match serves {
        Serves::Errands => return errands(engine).only::<(errand, fetch)>(),
        Serves::Chores => return errands(engine).only::<(errand, fetch, linger, stumble)>(),
        _ => {}
    }
    let engine = engine.resource(Hands { effects, step_time });
    match serves {
        Serves::Stones => engine.only::<stone>(),
        Serves::Ledgers => engine.only::<ledger>(),
        Serves::First => engine.only::<first::bill>(),
        Serves::Second => engine.only::<second::bill>(),
        Serves::Broken => engine.only::<broken::bill>(),
        Serves::Poison => engine.only::<(unreadable, explosive, harmless)>(),
        _ => engine.only::<(parcel, delivery, trip)>(),
    }
}

/// Runs instances, on a store that may have a failpoint in front of it.
async fn work(arguments: &[&str], trap: Option<Arc<Trap>>) -> Outcome {
    let [RUN, store, namespace, serves, lease_ms, concurrency, step_time_ms, grace_ms, effects] = arguments else {
        return Err("not how a worker is started".into());
    };
    let engine = match trap {
        Some(trap) => {
            let store: Arc<dyn Store> = workflow::open_store(store, namespace).await?;
            Engine::builder().store(Arc::new(InFront::of(store, Failing(trap))) as Arc<dyn Store>)
        }
        None => Engine::builder().store(*store),
    };
    let engine = engine.namespace(*namespace).mode(Mode::Worker);
    let engine = engine.lease(millis(lease_ms)?).concurrency(concurrency.parse()?);
    let effects = Effects::open(&PathBuf::from(effects))?;
    let engine = serving(engine, Serves::named(serves).ok_or("no such program")?, effects, millis(step_time_ms)?);
    run(engine, millis(grace_ms)?).await
}

/// Runs instances until it is killed, or asked to end.
async fn run(engine: EngineBuilder, grace: Duration) -> Outcome {
    let asked_to_end = signal(SignalKind::terminate())?;
    let engine = engine.start().await?;
    end(engine, asked_to_end, grace).await
}

fn say_ready() -> std::io::Result<()> {
    Said.write_all(format!("{READY}\n").as_bytes())
}

/// Says that it runs, and ends in order when it is asked to.
async fn end(engine: Engine, mut asked_to_end: Signal, grace: Duration) -> Outcome {
    say_ready()?;
    asked_to_end.recv().await;
    let report = engine.shutdown(grace).await;
    if report.handed_over { Ok(()) } else { Err("nothing was handed over".into()) }
}

/// Creates parcels until it is killed; each is written down once its create is acknowledged.
async fn create(store: &str, prefix: &str, effects: &Effects) -> Outcome {
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
async fn read(store: &str, effects: &Effects) -> Outcome {
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

/// Makes deliveries as a client that knows nothing of what it did before it was killed: it says everything again.
async fn deliver(store: &str, deliveries: u64, results: &Effects) -> Outcome {
    let engine = Engine::builder().store(store).mode(Mode::Client).start().await?;
    for number in 0..deliveries {
        let id = format!("delivery-{number}");
        let delivery = delivery::create(&engine, number).id(&id).attach().await?;
        for (payment, amount) in [("first", 2), ("second", 3)] {
            match delivery.send(Paid { amount }).id(payment).await {
                // The one before has sent it, and it has ended since.
                Err(EngineError::Finished { .. }) => {}
                sent => sent?,
            }
        }
        let result = delivery.result().await?;
        results.begin(&id, &result.to_string(), 1)?;
    }
    Ok(())
}
