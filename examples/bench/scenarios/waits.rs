//! Instances that wait for an event.

use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use super::{Outcome, begin};
use crate::stage::Stage;
use crate::window::{check, create_all, each, until};
use crate::{AnyError, progress};

/// What is waited for.
#[derive(Debug, Event, Serialize, Deserialize)]
pub(super) struct Go {
    pub(super) value: u32,
}

/// Waits for an event, and gives what it brings.
#[workflow]
async fn waits() -> workflow::Result<u32> {
    let Go { value } = wait_for("go").await;
    Ok(value)
}

/// Lets as many instances wait, for what never comes, as the plan wants.
pub(super) async fn background(stage: &Stage<'_>, engine: &Engine) -> Result<(), AnyError> {
    let instances = stage.plan.waiting;
    create_all(stage.plan, instances, |numbers| waits::create_batch(engine, numbers.map(|_| waits::new())), drop)
        .await?;
    until(engine, |there| there.asleep, instances).await
}

/// All wait; then each is sent its event, `in_flight` at a time. Latency is from the event to the result, costs are of all
/// of it.
pub(super) async fn events(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let plan = stage.plan;
    let create = |numbers: Range<usize>| waits::create_batch(&engine, numbers.map(|_| waits::new()));
    let (_, instances) = create_all(plan, plan.workflows, create, |instance| instance).await?;
    until(&engine, |there| there.asleep, plan.waiting + plan.workflows).await?;
    let latencies = each(plan.workflows, plan.in_flight, |number| {
        let instance = instances[number].clone();
        async move {
            let (began, value) = (Instant::now(), u32::try_from(number)?);
            instance.send(Go { value }).await?;
            check(&instance.result().await?, &value, instance.id())?;
            progress::one_ended();
            Ok(began.elapsed())
        }
    });
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}
