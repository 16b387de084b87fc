//! Rest.

use std::time::Duration;

use super::Outcome;
use super::waits::background;
use crate::AnyError;
use crate::stage::Stage;
use crate::window::until;

/// After this, whatever searches periodically has found out that it need not search often.
const SETTLES: Duration = Duration::from_secs(10);

/// Looks for some seconds at engines that have nothing to do, after they had as long to settle, 10 s at
/// most. The store's memory is that of the instances that wait.
pub(super) async fn run(stage: &mut Stage<'_>) -> Result<Outcome, AnyError> {
    let engine = stage.staff().await?;
    let before = stage.begin()?;
    background(stage, &engine).await?;
    let waiting = before.end(stage)?;
    tokio::time::sleep(stage.plan.looks_for.min(SETTLES)).await;
    let gauge = stage.begin()?;
    tokio::time::sleep(stage.plan.looks_for).await;
    let costs = gauge.end(stage)?;
    until(&engine, |there| there.asleep, stage.plan.waiting).await?;
    Ok(Outcome { store_bytes: waiting.bytes(), ..Outcome::of(costs, Vec::new()) })
}
