//! Recovery of instances by an engine that has never seen them.

use std::ops::Range;
use std::time::Instant;

use workflow::prelude::*;

use super::Outcome;
use super::large::sum;
use super::steps::trivial;
use super::waits::{Go, background};
use crate::stage::Stage;
use crate::window::{check, create_all, each, id, until};
use crate::{AnyError, progress};

/// So many steps one after the other, and an event; gives the sum of the steps' numbers and what the event brings.
#[workflow]
async fn has_a_past(steps: u32) -> workflow::Result<u64> {
    let mut sum = 0;
    for number in 0..steps {
        sum += u64::from(step!("Step", trivial(number)).await?);
    }
    let Go { value } = wait_for("go").await;
    Ok(sum + u64::from(value))
}

/// All run up to their wait, and whoever ran them ends. Then each is sent its event, `in_flight` at a time, and others go
/// on with it, who replay it. Latency is from the event to the result; costs are of what came after that end.
pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let plan = stage.plan;
    let first = stage.staff().await?;
    background(stage, &first).await?;
    let all = stage.begin()?;
    let create = |numbers: Range<usize>| {
        has_a_past::create_batch(&first, numbers.map(|number| has_a_past::new(plan.steps).id(id("past", number))))
    };
    create_all(plan, plan.workflows, create, drop).await?;
    until(&first, |there| there.asleep, plan.waiting + plan.workflows).await?;
    drop(first);
    stage.dismiss().await?;

    let second = stage.staff().await?;
    let instances = each(plan.workflows, plan.in_flight, |number| {
        let get = has_a_past::get(&second, id("past", number));
        async move { Ok(get.await?) }
    });
    let instances = instances.await?;
    let sum = sum(plan.steps);
    let gauge = stage.begin()?;
    let latencies = each(plan.workflows, plan.in_flight, |number| {
        let instance = instances[number].clone();
        async move {
            let began = Instant::now();
            instance.send(Go { value: 1 }).await?;
            check(&instance.result().await?, &(sum + 1), instance.id())?;
            progress::one_ended();
            Ok(began.elapsed())
        }
    });
    let latencies = latencies.await?;
    let costs = gauge.end(stage)?;
    let store_bytes = all.end(stage)?.bytes();
    let records = usize::try_from(plan.steps)? * plan.workflows;
    Ok(Outcome { records: Some(records), store_bytes, ..Outcome::of(costs, latencies) })
}
