//! Everything at once, in set proportions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use super::steps::{one_step, trivial};
use super::waits::Go;
use super::{Outcome, begin};
use crate::AnyError;
use crate::stage::Stage;
use crate::window::{check, keep_in_flight};

/// What an instance does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    /// Three steps.
    Steps,
    /// A step, a sleep, and a step.
    Sleep,
    /// Waits for an event, and takes a step with what it brings.
    Event,
    /// A child of one step.
    Child,
}

/// Of ten instances, in the order of their creation.
const KINDS: [Kind; 10] = [
    Kind::Steps,
    Kind::Sleep,
    Kind::Event,
    Kind::Steps,
    Kind::Child,
    Kind::Steps,
    Kind::Sleep,
    Kind::Event,
    Kind::Steps,
    Kind::Child,
];

/// How long a sleep is.
const SLEEP: Duration = Duration::from_millis(20);

#[workflow]
async fn one_of_many(kind: Kind) -> workflow::Result<u32> {
    match kind {
        Kind::Steps => {
            let one = step!("Step 1", trivial(1)).await?;
            let two = step!("Step 2", trivial(2)).await?;
            Ok(one + two + step!("Step 3", trivial(3)).await?)
        }
        Kind::Sleep => {
            let before = step!("Before", trivial(1)).await?;
            sleep(SLEEP).await;
            Ok(before + step!("After", trivial(2)).await?)
        }
        Kind::Event => {
            let Go { value } = wait_for("go").await;
            Ok(step!("Handle", trivial(value)).await?)
        }
        Kind::Child => Ok(one_step().await?),
    }
}

/// Batches of 100; latency is from the create to the result, the sleep included. Events are sent at once: some come before
/// they are waited for.
pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let (engine, gauge) = begin(stage).await?;
    let latencies = keep_in_flight(
        stage.plan,
        |numbers| one_of_many::create_batch(&engine, numbers.map(|number| one_of_many::new(kind(number)))),
        |number, instance| async move {
            let expected = match kind(number) {
                Kind::Steps => 6,
                Kind::Sleep => 3,
                Kind::Event => {
                    instance.send(Go { value: 7 }).await?;
                    7
                }
                Kind::Child => 1,
            };
            check(&instance.result().await?, &expected, instance.id())
        },
    );
    let latencies = latencies.await?;
    Ok(Outcome::of(gauge.end(stage)?, latencies))
}

fn kind(number: usize) -> Kind {
    KINDS[number % KINDS.len()]
}
