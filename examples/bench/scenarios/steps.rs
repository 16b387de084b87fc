//! Small instances: steps, and what they carry.

use std::convert::Infallible;
use std::time::Instant;

use workflow::prelude::*;

use super::{Outcome, begin};
use crate::stage::Stage;
use crate::window::{check, keep_in_flight};
use crate::{AnyError, progress};

/// Three trivial steps, each durable on its own.
#[workflow]
pub(super) async fn three_steps() -> workflow::Result<[u32; 3]> {
    let one = step!("Step 1", trivial(1)).await?;
    let two = step!("Step 2", trivial(2)).await?;
    let three = step!("Step 3", trivial(3)).await?;
    Ok([one, two, three])
}

/// What [`three_steps`] gives.
pub(super) const THREE: [u32; 3] = [1, 2, 3];

/// One trivial step.
#[workflow]
pub(super) async fn one_step() -> workflow::Result<u32> {
    Ok(step!("Step", trivial(1)).await?)
}

/// Takes a text, has one of the same length from a step, and gives that.
#[workflow]
async fn carry(text: String) -> workflow::Result<String> {
    Ok(step!("Step", answer(text.len())).await?)
}

pub(super) async fn trivial(value: u32) -> Result<u32, Infallible> {
    Ok(value)
}

async fn answer(bytes: usize) -> Result<String, Infallible> {
    Ok("b".repeat(bytes))
}

/// Batches of 100; latency is from the create to the result.
pub(super) async fn wf3(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let latencies = keep_in_flight(
        stage.plan,
        |numbers| three_steps::create_batch(&engine, numbers.map(|_| three_steps::new())),
        |_, instance| async move { check(&instance.result().await?, &THREE, instance.id()) },
    );
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}

/// One after another.
pub(super) async fn alone(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let mut latencies = Vec::with_capacity(stage.plan.workflows);
    for _ in 0..stage.plan.workflows {
        let began = Instant::now();
        let instance = one_step::create(&engine).await?;
        check(&instance.result().await?, &1, instance.id())?;
        progress::one_ended();
        latencies.push(began.elapsed());
    }
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}

/// As wf3, with one step and large values.
pub(super) async fn payload(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let bytes = stage.plan.bytes;
    let text = "a".repeat(bytes);
    let latencies = keep_in_flight(
        stage.plan,
        |numbers| carry::create_batch(&engine, numbers.map(|_| carry::new(text.clone()))),
        move |_, instance| async move {
            let output = instance.result().await?;
            if output.len() != bytes || output.bytes().any(|byte| byte != b'b') {
                return Err(
                    format!("{} gave {} bytes which are not what its step gave", instance.id(), output.len()).into()
                );
            }
            Ok(())
        },
    );
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}
