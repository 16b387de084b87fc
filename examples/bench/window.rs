//! How instances are created: so many at a time until they have ended, or all at once; and how one waits until a number
//! of them stands somewhere.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workflow::prelude::*;
use workflow::{CreateBatch, Overview};

use crate::plan::Plan;
use crate::{AnyError, progress};

/// The pause between two looks at the counts of a store: at least this, and ten times as long as a look takes.
const PAUSE: Duration = Duration::from_millis(20);
/// The length of the ids that an engine makes.
const ID_BYTES: usize = 26;
/// How long a number may stand still before that is an error.
const STILL: Duration = Duration::from_secs(60);

/// Creates all of the plan's instances in batches, at most `in_flight` of them between their creation and the end of what
/// `end` does with them. Gives how long that took each.
///
/// # Errors
/// The first of a create or of `end`.
pub(crate) async fn keep_in_flight<W, F>(
    plan: &Plan,
    create: impl Fn(Range<usize>) -> CreateBatch<W>,
    end: impl Fn(usize, Handle<W>) -> F,
) -> Result<Vec<Duration>, AnyError>
where
    W: Definition,
    F: Future<Output = Result<(), AnyError>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(plan.in_flight));
    let mut waiting = JoinSet::new();
    let mut latencies = Vec::with_capacity(plan.workflows);
    for batch in batches(plan.workflows, plan.batch()) {
        let mut taken = Vec::with_capacity(batch.len());
        for _ in batch.clone() {
            taken.push(places.clone().acquire_owned().await?);
        }
        let began = Instant::now();
        let outcomes = create(batch.clone()).await?;
        for ((number, outcome), place) in batch.zip(outcomes).zip(taken) {
            let ending = end(number, outcome?);
            waiting.spawn(async move {
                ending.await?;
                drop(place);
                progress::one_ended();
                Ok::<_, AnyError>(began.elapsed())
            });
        }
        while let Some(latency) = waiting.try_join_next() {
            latencies.push(latency??);
        }
    }
    while let Some(latency) = waiting.join_next().await {
        latencies.push(latency??);
    }
    Ok(latencies)
}

/// Creates `instances` of them in batches, at most `in_flight` in calls at a time, and does not wait for their end. Gives
/// how long each call took, and what is kept of each instance, in no order.
///
/// # Errors
/// The first of a create.
pub(crate) async fn create_all<W: Definition, T: Send + 'static>(
    plan: &Plan,
    instances: usize,
    create: impl Fn(Range<usize>) -> CreateBatch<W>,
    keep: fn(Handle<W>) -> T,
) -> Result<(Vec<Duration>, Vec<T>), AnyError> {
    let batches: Vec<_> = batches(instances, plan.batch()).collect();
    let calls = each(batches.len(), (plan.in_flight / plan.batch()).max(1), |call| {
        let creating = create(batches[call].clone());
        async move {
            let began = Instant::now();
            let outcomes = creating.await?;
            let kept = outcomes.into_iter().map(|outcome| outcome.map(keep)).collect::<Result<Vec<_>, _>>()?;
            Ok((began.elapsed(), kept))
        }
    });
    let (latencies, kept): (_, Vec<_>) = calls.await?.into_iter().unzip();
    Ok((latencies, kept.into_iter().flatten().collect()))
}

/// Does something for each number, at most `at_once` at a time. Gives what each gave, in no order.
///
/// # Errors
/// The first.
pub(crate) async fn each<T, F>(count: usize, at_once: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>, AnyError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, AnyError>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut done = Vec::with_capacity(count);
    for number in 0..count {
        if under_way.len() == at_once {
            done.extend(joined(under_way.join_next().await)?);
        }
        under_way.spawn(work(number));
    }
    while !under_way.is_empty() {
        done.extend(joined(under_way.join_next().await)?);
    }
    Ok(done)
}

type Joined<T> = Option<Result<Result<T, AnyError>, tokio::task::JoinError>>;

fn joined<T>(joined: Joined<T>) -> Result<Option<T>, AnyError> {
    joined.map(|outcome| outcome?).transpose()
}

/// Waits until a count of the store is so high, and nothing failed.
///
/// # Errors
/// When an instance failed, when the count is too high, or when it stands still for a minute.
pub(crate) async fn until(engine: &Engine, count: fn(&Overview) -> u64, wanted: usize) -> Result<(), AnyError> {
    let wanted = u64::try_from(wanted)?;
    let (mut last, mut changed) = (0, Instant::now());
    loop {
        let began = Instant::now();
        let there = engine.overview().await?;
        let now = count(&there);
        if now == wanted && !failed(&there) {
            return Ok(());
        }
        if now != last {
            (last, changed) = (now, Instant::now());
        }
        if failed(&there) || now > wanted || changed.elapsed() > STILL {
            return Err(format!("{now} instances are where {wanted} must be: {there:?}").into());
        }
        tokio::time::sleep(PAUSE.max(began.elapsed() * 10)).await;
    }
}

fn failed(there: &Overview) -> bool {
    there.errored + there.terminated + there.paused + there.shelved() > 0
}

/// The numbers of all instances, by batches.
fn batches(instances: usize, batch: usize) -> impl Iterator<Item = Range<usize>> {
    (0..instances).step_by(batch).map(move |first| first..instances.min(first + batch))
}

/// The id of an instance that is looked for later: as long as those that an engine makes.
pub(crate) fn id(kind: &str, number: usize) -> String {
    let digits = ID_BYTES - kind.len() - 1;
    format!("{kind}-{number:0digits$}")
}

/// An error unless an output is what it must be.
pub(crate) fn check<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, of: &str) -> Result<(), AnyError> {
    if found == expected { Ok(()) } else { Err(format!("{of} gave {found:?} in place of {expected:?}").into()) }
}
