//! The workflows that are measured, and how they are driven.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use workflow::prelude::*;

use crate::{AnyError, progress};

/// How many are created in one call.
pub(crate) const BATCH: usize = 100;

/// Three trivial steps, each durable on its own.
#[workflow]
pub(crate) async fn three_steps() -> workflow::Result<[u32; 3]> {
    let one = step!("Step 1", trivial(1)).await?;
    let two = step!("Step 2", trivial(2)).await?;
    let three = step!("Step 3", trivial(3)).await?;
    Ok([one, two, three])
}

/// One trivial step.
#[workflow]
async fn one_step() -> workflow::Result<u32> {
    Ok(step!("Step", trivial(1)).await?)
}

async fn trivial(value: u32) -> Result<u32, std::convert::Infallible> {
    Ok(value)
}

/// Batches of 100, at most `in_flight` instances between their creation and their result.
pub(crate) async fn wf3(engine: &Engine, workflows: usize, in_flight: usize) -> Result<Vec<Duration>, AnyError> {
    let places = Arc::new(Semaphore::new(in_flight));
    let mut waiting = JoinSet::new();
    let mut latencies = Vec::with_capacity(workflows);
    let mut left = workflows;
    while left > 0 {
        let size = left.min(BATCH).min(in_flight);
        left -= size;
        let mut taken = Vec::with_capacity(size);
        for _ in 0..size {
            taken.push(places.clone().acquire_owned().await?);
        }
        let began = Instant::now();
        let outcomes = three_steps::create_batch(engine, (0..size).map(|_| three_steps::new())).await?;
        for (outcome, place) in outcomes.into_iter().zip(taken) {
            let instance = outcome?;
            waiting.spawn(async move {
                let output = instance.result().await?;
                drop(place);
                progress::one_ended();
                check(&output, &[1, 2, 3], instance.id())?;
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

/// One after another.
pub(crate) async fn alone(engine: &Engine, workflows: usize) -> Result<Vec<Duration>, AnyError> {
    let mut latencies = Vec::with_capacity(workflows);
    for _ in 0..workflows {
        let began = Instant::now();
        let instance = one_step::create(engine).await?;
        check(&instance.result().await?, &1, instance.id())?;
        progress::one_ended();
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// An error unless an output is what it must be.
pub(crate) fn check<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, of: &str) -> Result<(), AnyError> {
    if found == expected { Ok(()) } else { Err(format!("{of} gave {found:?} in place of {expected:?}").into()) }
}
