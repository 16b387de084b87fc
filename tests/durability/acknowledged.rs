//! What was acknowledged is kept, whoever dies.

use std::time::Duration;

use support::load::{Paid, parcel};
use support::prelude::*;
use support::worker::TestWorker;

use super::fleet::Fleet;

on_every_shared_store!(creates_acknowledged_to_a_process_that_is_killed_are_kept_and_run,);

async fn creates_acknowledged_to_a_process_that_is_killed_are_kept_and_run(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 16, Duration::ZERO).await;
    for process in 0..3 {
        let creating = TestWorker::start_creating(&fleet.setup, &format!("process-{process}"));
        let enough = (process + 1) * 40;
        wait::until("it has created some", async || (fleet.effects().len() >= enough).then_some(())).await;
        creating.kill();
    }
    let acknowledged: Vec<String> = fleet.effects().into_iter().map(|effect| effect.instance).collect();
    fleet.start_worker();
    for id in acknowledged {
        let instance = parcel::get(&fleet.client, &id).await?;
        instance.send(Paid { amount: 0 }).await?;
        instance.result_within(wait::PATIENCE).await?;
    }
    fleet.check_workers();
    Ok(())
}
