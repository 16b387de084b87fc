//! The workflow that a hostile operator is let loose on, and the marks that its bodies leave.
//!
//! A mark says more than an [`Effect`](crate::effects::Effect): of which run the body was, its idempotency key, and what
//! it saw of all results before it. Two bodies of one run that saw different pasts give away a result that was committed
//! twice.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use crate::effects::Effects;
use crate::failpoints::{Failpoint, Trap};

/// Part of every event and result: whatever holds it has shown a payload.
pub const SECRET: &str = "not-for-the-log";
/// Every errand whose number can be divided by this fails when it returns.
pub const FAILS_EVERY: u64 = 5;

/// The resource of errands: writes down each execution of a body, then takes its time.
#[derive(Debug)]
pub struct Runner {
    effects: Effects,
    step_time: Duration,
    executions: AtomicU64,
    trap: Option<Arc<Trap>>,
}

/// Where in its run a body stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) run: u32,
    pub(crate) seen: u64,
}

/// Why a body failed: on purpose.
#[derive(Debug, thiserror::Error)]
#[error("not at the first attempt")]
struct NotYet;

impl Runner {
    /// One whose bodies take `step_time`.
    #[must_use]
    pub const fn new(effects: Effects, step_time: Duration) -> Self {
        Self { effects, step_time, executions: AtomicU64::new(0), trap: None }
    }

    /// One whose process may die in a body.
    #[must_use]
    pub fn trapped(self, trap: Arc<Trap>) -> Self {
        Self { trap: Some(trap), ..self }
    }

    /// Gives a value that no other execution gives.
    #[expect(clippy::disallowed_methods, reason = "this is the work: it takes as long as it takes")]
    pub(crate) async fn work(&self, cx: StepContext, step: impl Into<String>, at: Spot) -> std::io::Result<u64> {
        let mark = Mark {
            instance: cx.instance_id().to_owned(),
            step: step.into(),
            attempt: cx.attempt(),
            process: std::process::id(),
            run: at.run,
            key: cx.idempotency_key(),
            seen: at.seen,
            at: 0,
        };
        self.effects.append(&mark.line())?;
        self.pass(Failpoint::BodyBegan).await;
        tokio::time::sleep(self.step_time).await;
        self.pass(Failpoint::BodyEnded).await;
        let execution = self.executions.fetch_add(1, Ordering::Relaxed);
        Ok(u64::from(std::process::id()) << 24 | execution)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the work: it takes as long as it takes")]
    pub(crate) async fn take_time(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn pass(&self, point: Failpoint) {
        if let Some(trap) = &self.trap {
            trap.pass(point).await;
        }
    }

    /// As [`Self::work`], which fails at its first attempt in every other errand.
    async fn doubt(
        &self,
        cx: StepContext,
        number: u64,
        at: Spot,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let first = cx.attempt() == 1;
        let value = self.work(cx, "doubt", at).await?;
        if first && number % 2 == 1 { Err(NotYet.into()) } else { Ok(value) }
    }
}

/// Something to remember on the way.
#[derive(Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
pub struct Note {
    /// Told from others by this.
    pub number: u64,
    /// Nothing comes after it.
    pub last: bool,
    secret: String,
}

impl Note {
    /// One that holds the [`SECRET`].
    #[must_use]
    pub fn new(number: u64, last: bool) -> Self {
        Self { number, last, secret: SECRET.to_owned() }
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.last { "last " } else { "" }, self.number)
    }
}

/// What an errand comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The notes it was given, in order.
    pub notes: Vec<u64>,
    /// What the last body saw, and its own result.
    pub seen: u64,
    secret: String,
}

/// How far a step is in a run; the two branches of the join are side by side. Notes come between, in the order of
/// their arrival.
#[must_use]
pub fn front(step: &str) -> Option<usize> {
    match step {
        "leave" | "search" | "linger" | "try" => Some(0),
        "doubt" | "find" => Some(1),
        "left" | "right" => Some(2),
        "enter" => Some(3),
        "pay" => Some(4),
        "return" => Some(usize::MAX),
        _ => None,
    }
}

const fn mix(seen: u64, value: u64) -> u64 {
    // Not the sum: what came first matters. Half of the bits, so that every reader of JSON keeps them.
    (seen.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(value)) >> 12
}

/// Something of everything: steps, one that is tried again, a sleep, two side by side, a group, a child, any number of
/// events with a step for each, a last step, and an error at the end of some.
#[workflow]
pub async fn errand(number: u64, #[resource] runner: &Runner) -> workflow::Result<Errand> {
    let run = info().await.run;
    let mut seen = number;
    seen = mix(seen, step!("leave", |cx| runner.work(cx, "leave", Spot { run, seen })).await?);
    seen =
        mix(seen, step!("doubt", retries = 1, delay = 5ms, |cx| runner.doubt(cx, number, Spot { run, seen })).await?);
    sleep(10ms).await;
    let (left, right) = join!(
        step!("left", |cx| runner.work(cx, "left", Spot { run, seen })),
        step!("right", |cx| runner.work(cx, "right", Spot { run, seen }))
    )
    .await;
    seen = mix(mix(seen, left?), right?);
    let shopped = group!("shop", {
        let entered = step!("enter", |cx| runner.work(cx, "enter", Spot { run, seen })).await?;
        let seen = mix(seen, entered);
        Ok(mix(seen, step!("pay", |cx| runner.work(cx, "pay", Spot { run, seen })).await?))
    });
    seen = shopped.await?;
    seen = mix(seen, fetch(number, runner).await?);
    let mut notes = Vec::new();
    loop {
        let note = wait_for::<Note>("told").await;
        notes.push(note.number);
        if note.last {
            break;
        }
        let number = note.number;
        let noted =
            step!("note", key = number, |cx| runner.work(cx, format!("note {number}"), Spot { run, seen })).await?;
        seen = mix(seen, noted);
    }
    seen = mix(seen, step!("return", |cx| runner.work(cx, "return", Spot { run, seen })).await?);
    if number.is_multiple_of(FAILS_EVERY) {
        return Err(NotYet.into());
    }
    Ok(Errand { notes, seen, secret: SECRET.to_owned() })
}

/// The child of an errand.
#[workflow]
pub async fn fetch(number: u64, #[resource] runner: &Runner) -> workflow::Result<u64> {
    let run = info().await.run;
    let mut seen = number;
    seen = mix(seen, step!("search", |cx| runner.work(cx, "search", Spot { run, seen })).await?);
    sleep(5ms).await;
    Ok(mix(seen, step!("find", |cx| runner.work(cx, "find", Spot { run, seen })).await?))
}

/// One execution of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The instance.
    pub instance: String,
    /// The step, with its key.
    pub step: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The process that ran it.
    pub process: u32,
    /// The run that the code was told.
    pub run: u32,
    /// The idempotency key.
    pub key: String,
    /// What came of all results before it.
    pub seen: u64,
    /// Where in the file it stands, in bytes: the order of marks of all processes.
    pub at: u64,
}

impl Mark {
    fn line(&self) -> String {
        let Self { instance, step, attempt, process, run, key, seen, at: _ } = self;
        format!("{instance}\t{step}\t{attempt}\t{process}\t{run}\t{key}\t{seen}\n")
    }

    fn parse(line: &str, at: u64) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [instance, step, attempt, process, run, key, seen] = fields[..] else { panic!("not a mark: {line:?}") };
        let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("not a number in {line:?}"));
        let small = |text: &str| u32::try_from(number(text)).expect("a small number");
        Self {
            instance: instance.to_owned(),
            step: step.to_owned(),
            attempt: small(attempt),
            process: small(process),
            run: small(run),
            key: key.to_owned(),
            seen: number(seen),
            at,
        }
    }
}

/// All marks of a file so far, in order.
///
/// # Panics
/// When a line is not one.
#[must_use]
pub fn marks(file: &Path) -> Vec<Mark> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut at = 0;
    let mark = |line: &str| {
        let mark = Mark::parse(line.trim_end(), at);
        at += line.len() as u64;
        mark
    };
    text.split_inclusive('\n').map(mark).collect()
}

/// Where the next mark will stand, or after.
#[must_use]
pub fn now(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}
