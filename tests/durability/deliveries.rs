//! Deliveries, made one after another while something fails, and the account of what came of them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use support::effects;
use support::load::{Paid, delivered, delivery, trip};
use support::prelude::*;

use super::fleet::Fleet;

/// The lease of workers that must not lose theirs, whatever the machine does besides.
const LONG_LEASE: Duration = Duration::from_secs(20);
/// What each delivery runs, the steps of its child included.
const BODIES: [&str; 4] = ["pack", "drive", "hand over", "sign"];

/// Once a fault is over, and a next primary there, work goes on by then: an outage is that of the servers. It takes some
/// milliseconds; this is far more, so that what a busy machine adds does not matter.
const GO_ON_WITHIN: Duration = Duration::from_secs(10);

impl Fleet {
    /// A client and two workers on Redis whose leases nothing here outlasts: what runs twice has been lost.
    pub(crate) async fn delivering(stage: Stage) -> Self {
        let url = stage.url();
        Self::delivering_over(stage, &url).await
    }

    /// The same where the store is reached by this url.
    pub(crate) async fn delivering_over(stage: Stage, url: &str) -> Self {
        let mut fleet = Self::over(stage, url, 4, Duration::from_millis(3)).await;
        fleet.setup.lease = LONG_LEASE;
        fleet.start_worker();
        fleet.start_worker();
        fleet
    }

    /// Makes deliveries while `fault` happens again and again, and checks afterwards that each ended once, with the
    /// right result and the journal of one that nothing disturbed, that every body ran once, and that no worker ended.
    pub(crate) async fn deliver_through<E>(&mut self, faults: usize, mut fault: impl AsyncFnMut() -> E) -> TestResult {
        let undisturbed = deliver(&self.client, 0).await?;
        let expected = account(&undisturbed).await?;
        let (next, over) = (Cell::new(1), Cell::new(false));
        let handles = RefCell::new(vec![undisturbed]);
        let customer = async || -> Result<(), EngineError> {
            while !over.get() {
                let number = next.replace(next.get() + 1);
                let handle = deliver(&self.client, number).await?;
                handles.borrow_mut().push(handle);
            }
            Ok(())
        };
        let trouble = async {
            for _ in 0..faults {
                fault().await;
                // Something is done between two faults, or there is nothing that the next could hurt.
                let (before, begun) = (next.get(), Instant::now());
                wait::until("deliveries go on", async || (next.get() > before + 1).then_some(())).await;
                let went_on = begun.elapsed();
                eprintln!("deliveries went on after {went_on:?}");
                assert!(went_on < GO_ON_WITHIN, "{went_on:?} after the fault was over");
            }
            over.set(true);
        };
        let (one, two, three, four, ()) = tokio::join!(customer(), customer(), customer(), customer(), trouble);
        [one, two, three, four].into_iter().collect::<Result<(), _>>().map_err(|error| self.with_log(&error))?;
        let handles = handles.into_inner();
        for handle in &handles {
            assert_eq!(account(handle).await?, expected, "{}", handle.id());
        }
        eprintln!("{} deliveries", handles.len());
        self.check_each_ran_once(handles.len()).await?;
        self.check_workers();
        Ok(())
    }

    async fn check_each_ran_once(&self, deliveries: usize) -> TestResult {
        let effects = self.effects();
        let repeated: HashMap<_, _> =
            effects::executions(&effects).into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(repeated.is_empty(), "ran again: {repeated:?}\n{}", self.log());
        for body in BODIES {
            let ran: Vec<_> = effects.iter().filter(|effect| effect.step == body).collect();
            assert_eq!(ran.len(), deliveries, "one {body} for each delivery");
            assert!(ran.iter().all(|effect| effect.attempt == 1), "a fault of the wire is no attempt");
        }
        let mut trips = BTreeSet::new();
        let mut list = self.client.list().of::<trip>().limit(500).await?;
        loop {
            trips.extend(list.instances.iter().map(|item| item.id.clone()));
            let Some(next) = list.next else { break };
            list = self.client.list().of::<trip>().limit(500).after(next).await?;
        }
        assert_eq!(trips.len(), deliveries, "one child for each delivery");
        Ok(())
    }

    fn with_log(&self, error: &EngineError) -> String {
        format!("{error}\n{}", self.log())
    }
}

/// Makes one delivery, from its creation to its result. Each payment is sent twice under one id.
async fn deliver(client: &Engine, number: u64) -> Result<Handle<delivery>, EngineError> {
    let handle = delivery::create(client, number).id(format!("delivery-{number}")).await?;
    for (id, amount) in [("first", number + 7), ("first", number + 7), ("second", 3), ("second", 3)] {
        match handle.send(Paid { amount }).id(id).await {
            // A repeat, also one for an answer that was lost, can come after the end.
            Err(EngineError::Finished { .. }) if id == "second" => {}
            sent => drop(sent?),
        }
    }
    let result = handle.result_within(wait::PATIENCE).await;
    assert!(matches!(result, Ok(sum) if sum == delivered(number, number + 7, 3)), "{}: {result:?}", handle.id());
    Ok(handle)
}

/// What its journal holds, but for values and times.
async fn account(handle: &Handle<delivery>) -> Result<String, EngineError> {
    let history = handle.history().await?;
    let mut lines = vec![format!("run {}, {} records", history.run, history.records)];
    for operation in &history.operations {
        let (failed, aside) = (operation.failed_attempts.len(), operation.set_aside.len());
        lines.push(format!(
            "{}: {failed} failed, {aside} set aside, ended {}",
            operation.path,
            operation.end.is_some()
        ));
    }
    Ok(lines.join("\n"))
}
