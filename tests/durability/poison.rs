//! What ends every process that takes it, while its input is read or while it runs, is set aside; what stands beside it ends.

use std::time::Duration;

use support::poison::{Deadly, explosive, harmless, unreadable};
use support::prelude::*;
use support::worker::Serves;

use super::fleet::Fleet;

on_every_shared_store!(what_aborts_its_process_is_set_aside_and_its_neighbours_end,);

const NEIGHBOURS: u64 = 40;
/// Each of the two ends a process once among others and three times alone; a few more where a crash hits both.
const ENDS_MAX: u32 = 10;

async fn what_aborts_its_process_is_set_aside_and_its_neighbours_end(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 8, Duration::ZERO).await;
    fleet.setup.serves = Serves::Poison;
    let unread = unreadable::create(&fleet.client, Deadly).id("unreadable").await?;
    let exploding = explosive::create(&fleet.client).id("explosive").await?;
    let batch = (0..NEIGHBOURS).map(|number| harmless::new(number).id(format!("neighbour-{number}")));
    let neighbours = harmless::create_batch(&fleet.client, batch).await?;
    fleet.start_worker();
    let (mut ends, give_up) = (0, Instant::now() + wait::PATIENCE * 2);
    loop {
        if fleet.workers[0].has_ended() {
            ends += 1;
            assert!(ends <= ENDS_MAX, "it goes on for ever:\n{}", fleet.log());
            fleet.replace_worker(0);
        }
        let paused = [unread.status().await?.paused, exploding.status().await?.paused];
        if let [Some(unread), Some(exploding)] = paused {
            let quarantined = PauseReason::Quarantined { crashes: 3 };
            assert_eq!([unread.reason, exploding.reason], [quarantined.clone(), quarantined]);
            break;
        }
        assert!(Instant::now() < give_up, "{ends} processes ended:\n{}", fleet.log());
        wait::moment(Instant::now() + Duration::from_millis(10)).await;
    }
    for (number, neighbour) in (0..).zip(neighbours) {
        assert_eq!(neighbour?.result_within(wait::PATIENCE).await?, number + 2);
    }
    eprintln!("{ends} processes ended");
    assert!(!fleet.workers[0].has_ended(), "the last one lives:\n{}", fleet.log());
    Ok(())
}
