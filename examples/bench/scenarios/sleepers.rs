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

/// How late sleepers woke, by the store's clock: after they were due, or after they began where that was later.
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

/// Costs are of the waking: from when the first is due until the last has ended. The store's memory is that of all asleep.
pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let plan = stage.plan;
    let engine = stage.staff().await?;
    background(stage, &engine).await?;
    let tried = plan.workflows.min(TRIED);
    let fall_asleep_within = MARGIN + try_out(stage, &engine, tried).await?;
    let before = stage.begin()?;

    let first = SystemTime::now() + fall_asleep_within;
    let due =
        move |number: usize| millis(first + plan.window.mul_f64(share(plan.workflows - 1 - number, plan.workflows)));
    let create = |numbers: Range<usize>| {
        sleeper::create_batch(&engine, numbers.map(|number| sleeper::new(due(number)).id(id("sleep", number))))
    };
    create_all(plan, plan.workflows, create, drop).await?;
    until(&engine, |there| there.asleep + there.complete, plan.waiting + tried + plan.workflows).await?;
    let asleep = before.end(stage)?;
    tokio::time::sleep(first.duration_since(SystemTime::now()).unwrap_or_default()).await;

    let gauge = stage.begin()?;
    tokio::time::sleep(plan.window).await;
    until(&engine, |there| there.complete, tried + plan.workflows).await?;
    let costs = gauge.end(stage)?;
    let slept = each(plan.workflows, READ_AT_ONCE, |number| {
        let (get, due) = (sleeper::get(&engine, id("sleep", number)), due(number));
        async move {
            let (began, woke) = get.await?.result().await?;
            progress::one_ended();
            Ok(Slept { due, began, woke })
        }
    });
    let lateness = Some(lateness(slept.await?)?);
    Ok(Outcome { lateness, store_bytes: asleep.bytes(), ..Outcome::of(costs, Vec::new()) })
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
        let late = woke.checked_sub(due).ok_or_else(|| format!("one woke at {woke}, and was due at {due}"))?;
        lateness.push(Duration::from_millis(late.min(woke.saturating_sub(began))));
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
