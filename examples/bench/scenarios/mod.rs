//! What is measured: a file for each group of scenarios, with the workflows of it. Each sets its stage, measures, and
//! checks what came of it.

mod idle;
mod large;
mod mixed;
mod queue;
mod replay;
mod sleepers;
mod steps;
mod waits;

use std::time::Duration;

use workflow::Engine;

use crate::AnyError;
use crate::cli::Scenario;
use crate::gauge::{Costs, Gauge};
use crate::naive;
use crate::stage::Stage;

pub(crate) use self::sleepers::Lateness;

/// What a scenario came to. Its outputs and counts are right.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) costs: Costs,
    /// How long each took; which time that is, the scenario says. None where it means nothing.
    pub(crate) latencies: Vec<Duration>,
    /// What all instances took of the server's memory.
    pub(crate) store_bytes: Option<i64>,
    /// How late sleepers woke.
    pub(crate) lateness: Option<Lateness>,
    /// How many records were replayed.
    pub(crate) records: Option<usize>,
}

impl Outcome {
    fn of(costs: Costs, latencies: Vec<Duration>) -> Self {
        Self { costs, latencies, store_bytes: costs.bytes(), lateness: None, records: None }
    }
}

/// Carries out the plan of the stage.
///
/// # Errors
/// Whatever goes wrong; also an output or a count that is not as it must be.
pub(crate) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    match stage.plan.scenario {
        Scenario::Wf3 => steps::wf3(stage).await,
        Scenario::Alone => steps::alone(stage).await,
        Scenario::Drain => queue::drain(stage).await,
        Scenario::Create => queue::create(stage).await,
        Scenario::Events => waits::events(stage).await,
        Scenario::Sleepers => sleepers::run(stage).await,
        Scenario::Fanout => large::fanout(stage).await,
        Scenario::Long => large::long(stage).await,
        Scenario::Replay => replay::run(stage).await,
        Scenario::Payload => steps::payload(stage).await,
        Scenario::Mixed => mixed::run(stage).await,
        Scenario::Idle => idle::run(stage).await,
        Scenario::Naive => {
            let gauge = stage.begin()?;
            let latencies = naive::wf3(&stage.place.url, stage.plan.workflows, stage.plan.in_flight).await?;
            Ok(Outcome::of(gauge.end(stage)?, latencies))
        }
    }
}

/// Starts everybody, lets so many others wait as are wanted, and begins to measure.
async fn begin(stage: &mut Stage<'_>) -> Result<(Engine, Gauge), AnyError> {
    let engine = stage.staff().await?;
    waits::background(stage, &engine).await?;
    Ok((engine, stage.begin()?))
}
