//! The workflow whose acknowledgements are written down, and the processes that work on it and press on with it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use super::{Receipt, Told, now_us};
use crate::effects::Effects;
use crate::stage::SHORT_LEASE;
use crate::wait;

/// How many events each instance waits for.
pub const EVENTS: usize = 2;
/// What an event holds that is sent for the first time.
pub const FIRST: u64 = 1;
/// What it holds when it is sent again under the same id, by whoever wants to know whether the first was kept.
pub const AGAIN: u64 = 2;
/// The first argument of a process that works.
pub const WORK: &str = "work";
/// The first argument of a process that presses on.
pub const PRESS: &str = "press";

/// Between two tries of a call that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long a client waits for a result: one whose event was lost comes only when somebody sends it again.
const RESULT_WITHIN: Duration = Duration::from_secs(3);

/// An entry of a ledger.
#[derive(Debug, Event, Serialize, Deserialize)]
pub struct Entry {
    /// [`FIRST`] or [`AGAIN`].
    pub sent: u64,
}

/// The resource of ledgers: writes down what is recorded when a body begins.
#[derive(Debug)]
pub struct Clerk {
    receipts: Effects,
    step_time: Duration,
    executions: AtomicU64,
}

impl Clerk {
    /// Gives a value that no other execution gives.
    async fn write(&self, cx: StepContext, lines: Vec<u64>) -> std::io::Result<u64> {
        receive(&self.receipts, cx.instance_id(), Told::Recorded(lines), now_us())?;
        wait::moment(Instant::now() + self.step_time).await;
        let execution = self.executions.fetch_add(1, Ordering::Relaxed);
        Ok(u64::from(std::process::id()) << 24 | execution)
    }
}

/// A step, then an event, and so on, and a last step. Gives every result and every event, in their order.
#[workflow]
pub async fn ledger(#[resource] clerk: &Clerk) -> workflow::Result<Vec<u64>> {
    let mut lines = Vec::new();
    for number in 0..EVENTS {
        let before = lines.clone();
        lines.push(step!("write", key = number, |cx| clerk.write(cx, before.clone())).await?);
        lines.push(wait_for::<Entry>("entry").key(number).await.sent);
    }
    let before = lines.clone();
    lines.push(step!("close", |cx| clerk.write(cx, before.clone())).await?);
    Ok(lines)
}

/// Where in the lines of a ledger an event stands.
#[must_use]
pub const fn place_of_event(number: usize) -> usize {
    2 * number + 1
}

fn receive(receipts: &Effects, id: &str, told: Told, asked_us: u64) -> std::io::Result<()> {
    let receipt = Receipt { id: id.to_owned(), told, process: std::process::id(), asked_us, told_us: now_us() };
    receipts.append(&receipt.line())
}

/// What such a process ends with, if it ends at all.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Works or presses on until it is killed, as its arguments say.
///
/// # Errors
/// When the arguments are not those that a [`Crew`](super::crew::Crew) gives, or the store cannot be opened.
pub async fn process(words: &[&str]) -> Outcome {
    match words {
        [WORK, store, concurrency, step_time_ms, receipts] => {
            let receipts = Effects::open(Path::new(receipts))?;
            let step_time = Duration::from_millis(step_time_ms.parse()?);
            work(store, concurrency.parse()?, Clerk { receipts, step_time, executions: AtomicU64::new(0) }).await
        }
        [PRESS, store, prefix, at_a_time, receipts] => {
            press(store, prefix, at_a_time.parse()?, Effects::open(Path::new(receipts))?).await
        }
        _ => Err("started by tests only".into()),
    }
}

async fn work(store: &str, concurrency: usize, clerk: Clerk) -> Outcome {
    let engine = Engine::builder().store(store).mode(Mode::Worker).lease(SHORT_LEASE).concurrency(concurrency);
    let _engine = engine.resource(clerk).only::<ledger>().start().await?;
    std::future::pending().await
}

async fn press(store: &str, prefix: &str, at_a_time: u64, receipts: Effects) -> Outcome {
    let engine = Engine::builder().store(store).mode(Mode::Client).start().await?;
    let client = Arc::new(Client { engine, receipts });
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..at_a_time {
        let (client, prefix) = (client.clone(), format!("{prefix}-{task}"));
        tasks.spawn(async move {
            for number in 0_u64.. {
                client.one(&format!("{prefix}-{number}")).await?;
            }
            Ok::<(), std::io::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

struct Client {
    engine: Engine,
    receipts: Effects,
}

/// What a client makes of an answer.
enum Answer<T> {
    Done(T),
    /// It cannot be done now.
    NotNow,
    /// There is no such instance, or it has ended; for another error, which.
    Never(Option<String>),
}

fn answer<T>(outcome: Result<T, EngineError>) -> Answer<T> {
    match outcome {
        Ok(done) => Answer::Done(done),
        Err(EngineError::Store(_) | EngineError::NoAnswer { .. }) => Answer::NotNow,
        Err(EngineError::NotFound { .. } | EngineError::Finished { .. }) => Answer::Never(None),
        Err(other) => Answer::Never(Some(format!("{other:?}"))),
    }
}

impl Client {
    /// Creates one ledger, sends its events and waits for its end. What cannot be done now is tried until it can, and given
    /// up once the store says that there is no such instance.
    async fn one(&self, id: &str) -> std::io::Result<()> {
        let asked = now_us();
        let ledger = loop {
            match answer(ledger::create(&self.engine).id(id).attach().await) {
                Answer::Done(ledger) => break ledger,
                Answer::NotNow => wait::moment(Instant::now() + AGAIN_AFTER).await,
                Answer::Never(why) => return self.give_up(id, why),
            }
        };
        receive(&self.receipts, id, Told::Created, asked)?;
        for number in 0..EVENTS {
            let asked = now_us();
            loop {
                let sent = ledger.send(Entry { sent: FIRST }).key(number).id(number.to_string());
                match answer(sent.await) {
                    Answer::Done(()) => break,
                    Answer::NotNow => wait::moment(Instant::now() + AGAIN_AFTER).await,
                    Answer::Never(why) => return self.give_up(id, why),
                }
            }
            receive(&self.receipts, id, Told::Accepted(number), asked)?;
        }
        let asked = now_us();
        match ledger.result_within(RESULT_WITHIN).await {
            Ok(lines) => receive(&self.receipts, id, Told::Ended(lines), asked),
            Err(ResultError::TimedOut { .. } | ResultError::Unknown { .. } | ResultError::Store(_)) => Ok(()),
            Err(other) => self.give_up(id, Some(format!("{other:?}"))),
        }
    }

    fn give_up(&self, id: &str, why: Option<String>) -> std::io::Result<()> {
        why.map_or(Ok(()), |why| receive(&self.receipts, id, Told::Odd(why), now_us()))
    }
}
