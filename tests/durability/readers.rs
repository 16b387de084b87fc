//! One file and three processes: one that creates, one that runs, and one that only reads.

use std::collections::BTreeSet;
use std::time::Duration;

use support::effects;
use support::prelude::*;
use support::worker::{TestWorker, WorkerSetup};

use super::fleet::Fleet;

#[test]
fn a_process_that_only_reads_sees_what_others_create_and_run() {
    support::run(StoreKind::SqliteFile, read_beside_others);
}

async fn read_beside_others(stage: Stage) -> TestResult {
    let mut fleet = Fleet::new(stage, 16, Duration::ZERO).await;
    let setup = |name: &str, store: String| WorkerSetup {
        store,
        effects: fleet.setup.effects.with_file_name(name),
        log: fleet.setup.log.with_file_name(format!("{name}.log")),
        ..fleet.setup.clone()
    };
    let (creators, readers) =
        (setup("created", fleet.setup.store.clone()), setup("seen", format!("{}?mode=ro", fleet.setup.store)));
    fleet.start_worker();
    let creating = TestWorker::start_creating(&creators, "made");
    let mut reading = TestWorker::start_reading(&readers);
    let seen = || -> BTreeSet<String> {
        let lines = effects::read(&readers.effects);
        lines.into_iter().filter(|line| line.step == "seen").map(|line| line.instance).collect()
    };
    wait::until("the reader has seen some wait", async || (seen().len() >= 20).then_some(())).await;
    creating.kill();
    let created: BTreeSet<String> = effects::read(&creators.effects).into_iter().map(|line| line.instance).collect();
    // The last one may have been made and not written down.
    assert!(seen().difference(&created).count() <= 1, "{:?} were never made", seen().difference(&created));
    wait::until("the reader has seen all that were made", async || created.is_subset(&seen()).then_some(())).await;
    assert!(!reading.has_ended(), "{}", std::fs::read_to_string(&readers.log).unwrap_or_default());
    reading.kill();
    let refused = effects::read(&readers.effects).into_iter().filter(|line| line.step == "refused").count();
    assert_eq!(refused, 1, "what it tried to write was refused");
    let nothing = support::load::parcel::get(&fleet.client, "of-the-reader").await;
    assert!(matches!(nothing, Err(EngineError::NotFound { .. })), "{nothing:?}");
    fleet.check_workers();
    Ok(())
}
