//! Worker processes on one store, the client that gives them work, and the account of what they did.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use support::effects::{self, Effect};
use support::load::{self, Paid, parcel};
use support::prelude::*;
use support::worker::{Serves, TestWorker, WorkerSetup};
use workflow::Overview;

/// What a worker says whose session is lost.
pub(crate) const LOST: &str = "this worker lost its session";

/// Three workers with a short lease, and a client.
pub(crate) struct Fleet {
    pub(crate) client: Engine,
    pub(crate) workers: Vec<TestWorker>,
    pub(crate) setup: WorkerSetup,
    /// Keeps the folder, and the server.
    pub(crate) stage: Stage,
}

/// Parcels that were created and paid for.
pub(crate) struct Parcels {
    handles: Vec<(u64, Handle<parcel>)>,
}

/// What the ended instances had done when their results came.
pub(crate) struct Ended {
    executions: HashMap<String, usize>,
}

impl Fleet {
    /// Starts the client on the store, and no worker yet.
    pub(crate) async fn new(stage: Stage, concurrency: usize, step_time: Duration) -> Self {
        let url = stage.url();
        Self::over(stage, &url, concurrency, step_time).await
    }

    /// The same where the store is reached by this url.
    pub(crate) async fn over(stage: Stage, url: &str, concurrency: usize, step_time: Duration) -> Self {
        let client = stage.builder().store(url).mode(Mode::Client).start().await.expect("a client starts");
        let file = |name: &str| -> PathBuf { stage.folder().join(name) };
        let setup = WorkerSetup {
            program: env!("CARGO_BIN_EXE_test-worker"),
            store: url.to_owned(),
            namespace: "default".to_owned(),
            serves: Serves::Load,
            lease: stage::SHORT_LEASE,
            concurrency,
            step_time,
            grace: Duration::ZERO,
            effects: file("effects"),
            log: file("workers.log"),
        };
        Self { client, workers: Vec::new(), setup, stage }
    }

    /// Starts one more worker.
    pub(crate) fn start_worker(&mut self) -> &TestWorker {
        self.workers.push(TestWorker::start(&self.setup));
        self.workers.last().expect("it was just started")
    }

    /// Kills a worker and starts another in its place.
    pub(crate) fn replace_worker(&mut self, index: usize) {
        self.workers.swap_remove(index).kill();
        self.start_worker();
    }

    /// What ran so far.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        effects::read(&self.setup.effects)
    }

    /// Creates parcels and pays for each.
    pub(crate) async fn create(&self, number: u64, wide: bool) -> Result<Parcels, EngineError> {
        let mut parcels = Parcels { handles: Vec::new() };
        self.create_more(&mut parcels, number, wide).await?;
        Ok(parcels)
    }

    /// As many again.
    pub(crate) async fn create_more(&self, parcels: &mut Parcels, more: u64, wide: bool) -> Result<(), EngineError> {
        let first = parcels.handles.len() as u64;
        let items = (first..first + more).map(|number| parcel::new(number, wide).id(format!("parcel-{number}")));
        for (number, outcome) in (first..).zip(parcel::create_batch(&self.client, items).await?) {
            let handle = outcome?;
            handle.send(Paid { amount: number * 1_000 }).id("payment").await?;
            parcels.handles.push((number, handle));
        }
        Ok(())
    }

    /// What the workers had to say, for the message of a failure.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.setup.log).unwrap_or_default()
    }

    /// Nothing is left in a place where only what goes on is, and none is in two.
    pub(crate) async fn check_store(&self) -> TestResult {
        let overview = self.client.overview().await?;
        let Overview { ready, delayed, asleep, held, paused, .. } = overview;
        assert_eq!((ready, delayed, asleep, held, paused, overview.shelves.len()), (0, 0, 0, 0, 0, 0));
        let report = self.client.fsck().await?;
        assert!(report.is_sound(), "{report}");
        Ok(())
    }

    /// Fails when a worker has ended by itself.
    pub(crate) fn check_workers(&mut self) {
        let ended = self.workers.iter_mut().any(TestWorker::has_ended);
        assert!(!ended, "a worker ended by itself:\n{}", self.log());
    }
}

impl Parcels {
    /// How many have ended.
    pub(crate) async fn ended(&self) -> Result<usize, EngineError> {
        let mut ended = 0;
        for (_, handle) in &self.handles {
            ended += usize::from(handle.status().await?.state.is_final());
        }
        Ok(ended)
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.handles.len()
    }

    /// Each operation of each is committed once, and by its first attempt.
    pub(crate) async fn check_journals(&self) -> TestResult {
        for (_, handle) in &self.handles {
            let history = handle.history().await?;
            let mut paths = BTreeSet::new();
            for operation in &history.operations {
                assert!(paths.insert(operation.path.to_string()), "twice: {}\n{history}", operation.path);
                assert!(operation.end.is_some() && operation.failed_attempts.is_empty(), "{history}");
            }
            // The steps, a sleep and a wait.
            assert_eq!(paths.len(), load::STEPS.len() + 2, "{history}");
        }
        Ok(())
    }

    /// Waits for every result, checks it, and notes what had run for it by then.
    pub(crate) async fn results(&self, fleet: &Fleet) -> Ended {
        let mut executions = HashMap::new();
        for (number, handle) in &self.handles {
            let number = *number;
            let result = handle.result_within(wait::PATIENCE).await;
            let stuck = || format!("{}: {result:?}\n{}", handle.id(), fleet.log());
            assert!(matches!(result, Ok(sum) if sum == load::total(number, number * 1_000)), "{}", stuck());
            let ran = fleet.effects().iter().filter(|effect| effect.instance == handle.id()).count();
            executions.insert(handle.id().to_owned(), ran);
        }
        Ended { executions }
    }
}

impl Ended {
    /// Checks that every step ran, and that at most `kills_explain` ran again and none after the end, but for what
    /// follows from sessions that workers said they had lost: they were frozen, or starved by a machine that does much
    /// else.
    pub(crate) fn check(&self, fleet: &Fleet, kills_explain: usize) {
        let lost = fleet.log().lines().filter(|line| line.contains(LOST)).count();
        // A wide parcel has two bodies at a time.
        let bodies_at_a_time = if fleet.setup.concurrency > 1 { 2 * fleet.setup.concurrency } else { 1 };
        let (extra_max, late_max) = (kills_explain + lost * bodies_at_a_time, lost * bodies_at_a_time);
        let effects = fleet.effects();
        let executions = effects::executions(&effects);
        for id in self.executions.keys() {
            for step in load::STEPS {
                let ran = executions.get(&(id.clone(), (*step).to_owned())).copied().unwrap_or(0);
                assert!(ran >= 1, "{id} never ran {step}");
            }
        }
        let extra = effects.len() - self.executions.len() * load::STEPS.len();
        eprintln!(
            "{} instances, {} executions, {extra} of them again, {lost} sessions lost",
            self.executions.len(),
            effects.len()
        );
        assert!(extra <= extra_max, "{extra} extra executions: {:?}", repeated(&executions));
        let at_the_end: usize = self.executions.values().sum();
        let late = effects.len() - at_the_end;
        assert!(late <= late_max, "{late} executions after the end of their instance");
        assert!(effects.iter().all(|effect| effect.attempt == 1), "a crash is no attempt: {effects:?}");
    }
}

fn repeated(executions: &HashMap<(String, String), usize>) -> Vec<(&(String, String), &usize)> {
    executions.iter().filter(|(_, times)| **times > 1).collect()
}
