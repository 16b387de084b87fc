//! Instances of many steps. Latency is from the create to the result.

use workflow::prelude::*;

use super::steps::trivial;
use super::{Outcome, begin};
use crate::AnyError;
use crate::stage::Stage;
use crate::window::{check, keep_in_flight};

/// So many steps at once; gives the sum of their numbers.
#[workflow]
async fn all_at_once(steps: u32) -> workflow::Result<u64> {
    let numbers = try_join_all((0..steps).map(|number| step!("Step", key = number, trivial(number)))).await?;
    Ok(numbers.into_iter().map(u64::from).sum())
}

/// So many steps one after the other; gives the sum of their numbers.
#[workflow]
async fn one_by_one(steps: u32) -> workflow::Result<u64> {
    let mut sum = 0;
    for number in 0..steps {
        sum += u64::from(step!("Step", trivial(number)).await?);
    }
    Ok(sum)
}

pub(super) async fn fanout(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let (steps, sum) = (stage.plan.steps, sum(stage.plan.steps));
    let latencies = keep_in_flight(
        stage.plan,
        |numbers| all_at_once::create_batch(&engine, numbers.map(|_| all_at_once::new(steps))),
        move |_, instance| async move { check(&instance.result().await?, &sum, instance.id()) },
    );
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}

pub(super) async fn long(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let (steps, sum) = (stage.plan.steps, sum(stage.plan.steps));
    let latencies = keep_in_flight(
        stage.plan,
        |numbers| one_by_one::create_batch(&engine, numbers.map(|_| one_by_one::new(steps))),
        move |_, instance| async move { check(&instance.result().await?, &sum, instance.id()) },
    );
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}

/// The sum of the numbers below `steps`.
pub(super) fn sum(steps: u32) -> u64 {
    (0..u64::from(steps)).sum()
}
