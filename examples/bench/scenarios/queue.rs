//! Creating and working off, each on its own.

use std::ops::Range;
use std::time::Duration;

use workflow::{Engine, Mode};

use super::Outcome;
use super::steps::{THREE, three_steps};
use crate::AnyError;
use crate::stage::Stage;
use crate::window::{check, create_all, each, id, until};

/// How many results are read at a time, once they are there.
const READ_AT_ONCE: usize = 64;

/// Creates only; latency is that of a call, which creates a batch.
pub(super) async fn create(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let engine = stage.engine(Mode::Client).await?;
    let gauge = stage.begin()?;
    let latencies = fill(stage, &engine).await?;
    let costs = gauge.end(stage)?;
    until(&engine, |there| there.ready, stage.plan.workflows).await?;
    Ok(Outcome::of(costs, latencies))
}

/// Works off what was created before, from the start of the workers until the last has ended. Nobody waits for a result,
/// so there is no latency; results are read afterwards.
pub(super) async fn drain(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let workflows = stage.plan.workflows;
    let engine = stage.engine(Mode::Client).await?;
    let all = stage.begin()?;
    fill(stage, &engine).await?;
    let gauge = stage.begin()?;
    stage.start_workers().await?;
    until(&engine, |there| there.complete, workflows).await?;
    let costs = gauge.end(stage)?;
    let store_bytes = all.end(stage)?.bytes();
    let right = each(workflows, READ_AT_ONCE, |number| {
        let get = three_steps::get(&engine, id("drain", number));
        async move {
            let instance = get.await?;
            check(&instance.result().await?, &THREE, instance.id())
        }
    });
    right.await?;
    Ok(Outcome { store_bytes, ..Outcome::of(costs, Vec::new()) })
}

async fn fill(stage: &Stage<'_>, engine: &Engine) -> Result<Vec<Duration>, AnyError> {
    let create = |numbers: Range<usize>| {
        three_steps::create_batch(engine, numbers.map(|number| three_steps::new().id(id("drain", number))))
    };
    Ok(create_all(stage.plan, stage.plan.workflows, create, drop).await?.0)
}
