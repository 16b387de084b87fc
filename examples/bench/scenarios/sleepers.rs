//! Instances that sleep, and how late they wake.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use workflow::prelude::*;

use super::Outcome;
use super::waits::background;
use crate::figures::percentile;
use crate::stage::Stage;
use crate::window::{create_all, each, id, until};
use crate::{AnyError, progress};

/// How many results are read at a time, once they are there.
const READ_AT_ONCE: usize = 64;
/// The largest number of instances that are tried first, for how long all will take to fall asleep.
const TRIED: usize = 1_000;
/// How long the last has to fall asleep, at least, before the first wakes.
const MARGIN: Duration = Duration::from_secs(1);
/// How often it is tried to have all asleep before the first wakes.
const NIGHTS: usize = 5;

/// Sleeps until a time; gives when it began and when it woke. All in milliseconds since 1970, by the store's clock.
#[workflow]
async fn sleeper(due_ms: u64) -> workflow::Result<(u64, u64)> {
    let began_ms = millis(now().await);
    sleep_until(UNIX_EPOCH + Duration::from_millis(due_ms)).await;
    Ok((began_ms, millis(now().await)))
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How late sleepers woke after they were due, by the store's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lateness {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) most: Duration,
    /// The most by which one woke before another that was due earlier.
    pub(crate) disorder: Duration,
}

/// One that has slept. In milliseconds since 1970.
struct Slept {
    due: u64,
    began: u64,
    woke: u64,
}

/// All sleepers of one try.
#[derive(Debug, Clone, Copy)]
struct Night {
    /// Which try it is.
    number: usize,
    /// When the first is due; the last is when the window is over.
    first: SystemTime,
    window: Duration,
    sleepers: usize,
}

impl Night {
    /// When one is due: the later it was created, the earlier.
    fn due_ms(self, sleeper: usize) -> u64 {
        millis(self.first + self.window.mul_f64(share(self.sleepers - 1 - sleeper, self.sleepers)))
    }

    fn id(self, sleeper: usize) -> String {
        id(&format!("night{}", self.number), sleeper)
    }
}

/// Costs are of the waking: from when the first is due until the last has ended. The store's memory is that of all
/// asleep.
pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let plan = stage.plan;
    let engine = stage.staff().await?;
    background(stage, &engine).await?;
    let mut before = plan.workflows.min(TRIED);
    let mut takes = try_out(stage, &engine, before).await?;
    for number in 0..NIGHTS {
        let asleep = stage.begin()?;
        let first = SystemTime::now() + MARGIN + takes;
        let night = Night { number, first, window: plan.window, sleepers: plan.workflows };
        fall_asleep(stage, &engine, night, before).await?;
        let asleep = asleep.end(stage)?;
        if let Ok(left) = first.duration_since(SystemTime::now()) {
            tokio::time::sleep(left).await;
            return Ok(Outcome { store_bytes: asleep.bytes(), ..wake(stage, &engine, night, before).await? });
        }
        // What woke while others went to bed shows nothing.
        before += plan.workflows;
        until(&engine, |there| there.complete, before).await?;
        takes = asleep.wall * 2;
    }
    Err("this machine is too busy to say how long they take to fall asleep: try fewer --workflows".into())
}

/// Until all of them sleep, or have woken already. `before` instances have ended before.
async fn fall_asleep(stage: &Stage<'_>, engine: &Engine, night: Night, before: usize) -> Result<(), AnyError> {
    let create = |numbers: Range<usize>| {
        let sleepers = numbers.map(|number| sleeper::new(night.due_ms(number)).id(night.id(number)));
        sleeper::create_batch(engine, sleepers)
    };
    create_all(stage.plan, night.sleepers, create, drop).await?;
    until(engine, |there| there.asleep + there.complete, stage.plan.waiting + before + night.sleepers).await
}

/// Measures how they wake, from the first to the last.
async fn wake(stage: &Stage<'_>, engine: &Engine, night: Night, before: usize) -> Result<Outcome, AnyError> {
    let gauge = stage.begin()?;
    // A look at the store meanwhile would be measured too.
    tokio::time::sleep(night.window).await;
    until(engine, |there| there.complete, before + night.sleepers).await?;
    let costs = gauge.end(stage)?;
    let slept = each(night.sleepers, READ_AT_ONCE, |number| {
        let get = sleeper::get(engine, night.id(number));
        async move {
            let (began, woke) = get.await?.result().await?;
            progress::one_ended();
            Ok(Slept { due: night.due_ms(number), began, woke })
        }
    });
    Ok(Outcome { lateness: Some(lateness(slept.await?)?), ..Outcome::of(costs, Vec::new()) })
}

/// How long all would take, by some that are through at once. That is more than only falling asleep takes.
async fn try_out(stage: &Stage<'_>, engine: &Engine, tried: usize) -> Result<Duration, AnyError> {
    let began = Instant::now();
    create_all(stage.plan, tried, |numbers| sleeper::create_batch(engine, numbers.map(|_| sleeper::new(0))), drop)
        .await?;
    until(engine, |there| there.complete, tried).await?;
    Ok(began.elapsed().div_f64(share(tried, stage.plan.workflows)))
}

fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of workflows is far below where a float is not exact")]
    let share = part as f64 / whole as f64;
    share
}

fn lateness(mut slept: Vec<Slept>) -> Result<Lateness, AnyError> {
    slept.sort_unstable_by_key(|slept| slept.due);
    let (mut lateness, mut newest, mut disorder) = (Vec::with_capacity(slept.len()), 0, 0);
    for Slept { due, began, woke } in slept {
        let late = woke.checked_sub(due).filter(|_| began < due);
        lateness.push(Duration::from_millis(late.ok_or_else(|| {
            format!("one began at {began} and woke at {woke}, in milliseconds, and was to sleep until {due}")
        })?));
        newest = newest.max(woke);
        disorder = disorder.max(newest - woke);
    }
    lateness.sort_unstable();
    Ok(Lateness {
        p50: percentile(&lateness, 50),
        p99: percentile(&lateness, 99),
        most: percentile(&lateness, 100),
        disorder: Duration::from_millis(disorder),
    })
}
