//! A hostile operator, let loose by chance on worker processes and instances: whatever it does, nothing is lost, nothing
//! is done twice that nothing interrupted, nothing gets stuck, and every answer is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use support::chance::Chance;
use support::effects::Effects;
use support::errands::{self, Errand, Runner, SECRET, errand, fetch};
use support::prelude::*;
use support::size::Amount;
use support::worker::{Serves, TestWorker, WorkerSetup};
use workflow::store::redis::RedisStore;
use workflow::store::sqlite::SqliteStore;
use workflow::store::{Overview, Store, StoreError};
use workflow::words::id::Namespace;
use workflow::{OperationEnd, ResultError};

use super::account::{Account, Fault, FaultKind};
use super::book::{Expected, Page};
use super::fleet::LOST;
use super::hand::{Hand, notes_read};
use super::leftovers::{self, Forward};

on_every_shared_store!(
    whatever_an_operator_does_nothing_is_lost_or_doubled_or_stuck,
    two_applications_under_one_roof_do_not_touch_each_other,
);

mod redis_partitioned {
    #[test]
    fn whatever_an_operator_does_nothing_is_lost_or_doubled_or_stuck() {
        let kind = support::StoreKind::RedisPartitioned;
        support::run(kind, super::whatever_an_operator_does_nothing_is_lost_or_doubled_or_stuck);
    }
}

/// How many cases are tried.
const CASES: Amount = Amount::of(1, 50, 200);
/// Hands that work at the same time.
const HANDS: usize = 3;
/// What each does.
const THINGS: usize = 100;
/// Errands of each.
const ERRANDS_MAX: usize = 12;
/// Instances that a worker drives at a time.
const CONCURRENCY: usize = 6;
const LONGER_THAN_ANYTHING_IS_KEPT: Duration = Duration::from_secs(40 * 24 * 60 * 60);
/// Longer than any body takes.
const GRACE: Duration = Duration::from_secs(30);
/// What workers may say, and operators understand: everything else needs a look.
const UNDERSTOOD: [&str; 8] = [
    "the engine has started: ",
    "connected to Redis; appendonly no: nothing that was written since the last snapshot survives a restart",
    "a worker crashed, or was not heard of for its lease: the instances it had go on with others",
    LOST,
    "this worker could not renew its lease",
    "workers have crashed while they tried this instance alone",
    "the store did not carry out a batch",
    "what this instance asked of another",
];

async fn whatever_an_operator_does_nothing_is_lost_or_doubled_or_stuck(stage: Stage) -> TestResult {
    let cases = CASES.wanted();
    let mut chance = Chance::new("a hostile operator");
    for case in 0..cases {
        let seed = if case == 0 { chance.number() } else { chance.number() ^ case };
        Application::start(&stage, &format!("case-{case}"), seed).await?.ordeal().await?;
    }
    Ok(())
}

/// The same names and the same ids: only the namespace tells them apart.
async fn two_applications_under_one_roof_do_not_touch_each_other(stage: Stage) -> TestResult {
    let mut chance = Chance::new("two applications");
    let one = Application::start(&stage, "one", chance.number()).await?;
    let other = Application::start(&stage, "other", chance.number()).await?;
    let (one, other) = tokio::join!(one.ordeal(), other.ordeal());
    one.and(other)
}

/// One application: its namespace, its workers, those who use it, and what was done to it.
struct Application<'a> {
    stage: &'a Stage,
    client: Engine,
    hands: Vec<Hand>,
    crew: Crew,
}

/// Its workers.
struct Crew {
    chance: Chance,
    setup: WorkerSetup,
    /// Each with whether it gives bodies a grace.
    workers: Vec<(TestWorker, bool)>,
    faults: Vec<Fault>,
}

impl<'a> Application<'a> {
    async fn start(stage: &'a Stage, namespace: &str, seed: u64) -> Result<Self, EngineError> {
        let client = stage.builder().namespace(namespace).mode(Mode::Client).start().await?;
        let mut chance = Chance::of(seed);
        let file = |name: &str| -> PathBuf { stage.folder().join(format!("{namespace}.{name}")) };
        let setup = WorkerSetup {
            program: env!("CARGO_BIN_EXE_test-worker"),
            store: stage.url(),
            namespace: namespace.to_owned(),
            serves: Serves::Errands,
            lease: stage::SHORT_LEASE,
            concurrency: CONCURRENCY,
            step_time: chance.millis(0..25),
            grace: GRACE,
            effects: file("marks"),
            log: file("log"),
        };
        let hands = (0..HANDS).map(|hand| Hand {
            client: client.clone(),
            chance: Chance::of(chance.number()),
            name: format!("errand-{hand}"),
            marks: setup.effects.clone(),
            pages: Vec::new(),
            notes: 0,
        });
        let hands = hands.collect();
        let mut crew = Crew { chance: Chance::of(chance.number()), setup, workers: Vec::new(), faults: Vec::new() };
        for _ in 0..2 + chance.index(2) {
            crew.hire();
        }
        Ok(Self { stage, client, hands, crew })
    }

    async fn ordeal(mut self) -> TestResult {
        let over = std::cell::Cell::new(0);
        let Self { hands, crew, .. } = &mut self;
        let [first, second, third] = &mut hands[..] else { panic!("there are {HANDS}") };
        let work = async |hand: &mut Hand| {
            let done = hand.work(THINGS, ERRANDS_MAX).await;
            over.set(over.get() + 1);
            done
        };
        let trouble = async {
            while over.get() < HANDS {
                crew.suffer().await;
                crew.check();
            }
        };
        let (one, two, three, ()) = tokio::join!(work(first), work(second), work(third), trouble);
        [one, two, three].into_iter().collect::<Result<(), _>>().map_err(|error| self.with_log(&error))?;
        self.settle().await?;
        self.check_children().await?;
        self.check_overview().await?;
        self.crew.check();
        self.check_log();
        self.check_marks();
        self.close().await
    }

    /// Lets everything go on to its end, and checks what it comes to.
    async fn settle(&mut self) -> TestResult {
        let log = self.crew.setup.log.clone();
        for hand in &mut self.hands {
            for page in 0..hand.pages.len() {
                hand.let_return(page).await?;
            }
            for page in 0..hand.pages.len() {
                let handle = errand::get(&self.client, &hand.pages[page].id).await?;
                let give_up = Instant::now() + wait::PATIENCE;
                loop {
                    let status = handle.status().await?;
                    hand.check_status(page, &status);
                    match status.state {
                        state if state.is_final() => break,
                        // By somebody, or in quarantine.
                        State::Paused => hand.resume(page).await?,
                        _ if status.pausing => hand.resume(page).await?,
                        State::Waiting => release_children(&self.client).await?,
                        _ => {}
                    }
                    if Instant::now() > give_up {
                        let log = std::fs::read_to_string(&log).unwrap_or_default();
                        let history = handle.history().await?;
                        return Err(format!("stuck: {status:?}\n{history}\n{:#?}\n{log}", hand.pages[page]).into());
                    }
                    wait::moment(Instant::now() + Duration::from_millis(3)).await;
                }
                check_end(&handle, &hand.pages[page]).await?;
            }
        }
        Ok(())
    }

    /// Every child is one that a run of ours has recorded, and has ended as it says.
    async fn check_children(&self) -> TestResult {
        let mut recorded = BTreeSet::new();
        let mut complete = BTreeSet::new();
        for page in self.pages() {
            let handle = errand::get(&self.client, &page.id).await?;
            for run in 1..=u32::try_from(page.runs.len())? {
                for operation in handle.history_of(run).await?.operations {
                    recorded.extend(operation.child.clone());
                    if matches!(operation.end, Some(OperationEnd::ChildComplete(_))) {
                        complete.extend(operation.child);
                    }
                }
            }
        }
        // Those of a parent that was ended are told so a little later.
        let children = async || {
            let listed = self.client.list().of::<fetch>().limit(1_000).await.expect("the store of a test answers");
            listed.instances.iter().all(|child| child.state.is_final()).then_some(listed.instances)
        };
        for child in wait::until("every child has ended", children).await {
            assert!(recorded.contains(&child.id), "nobody asked for it: {child:?}");
            assert!(child.state == State::Complete || !complete.contains(&child.id), "{child:?}");
            complete.remove(&child.id);
        }
        assert!(complete.is_empty(), "they completed and are not there: {complete:?}");
        Ok(())
    }

    /// All that there ever was is done, and nothing else is anywhere.
    async fn check_overview(&self) -> TestResult {
        let count = self.client.list().limit(1_000).await?.instances.len();
        let errands = self.client.list().of::<errand>().limit(1_000).await?.instances;
        let pages: BTreeSet<_> = self.pages().map(|page| page.id.clone()).collect();
        assert_eq!(errands.into_iter().map(|errand| errand.id).collect::<BTreeSet<_>>(), pages);
        let overview = self.client.overview().await?;
        assert_eq!((overview.done(), overview.total()), (count as u64, count as u64), "{overview:?}");
        let Overview { ready, delayed, asleep, held, paused, .. } = overview;
        assert_eq!((ready, delayed, asleep, held, paused, overview.shelves.len()), (0, 0, 0, 0, 0, 0));
        assert!(self.client.health().is_good(), "{:?}", self.client.health());
        Ok(())
    }

    fn check_marks(&self) {
        let marks = errands::marks(&self.crew.setup.effects);
        let lost = self.crew.log().lines().filter(|line| line.contains(LOST)).count();
        let fenced = self.crew.fenced();
        let (pages, faults): (Vec<Page>, _) = (self.pages().cloned().collect(), &self.crew.faults);
        let account = Account { pages: &pages, marks: &marks, faults, fenced: &fenced };
        let repeated = account.check();
        eprintln!(
            "{} errands, {} runs, {} bodies, {repeated} of them again, {} faults, {lost} sessions lost",
            pages.len(),
            pages.iter().map(|page| page.runs.len()).sum::<usize>(),
            marks.len(),
            faults.len(),
        );
        assert!(marks.len() > pages.len() * 2, "something was done");
    }

    /// Whatever was said is understood, and shows nothing that is not for the log.
    fn check_log(&self) {
        for line in self.crew.log().lines() {
            assert!(!line.contains(SECRET), "a payload in the log: {line}");
            let known = line.ends_with(support::worker::READY) || UNDERSTOOD.iter().any(|words| line.contains(words));
            assert!(known, "a message that nobody has looked at: {line}");
        }
    }

    /// Sends everyone home, who must go in order; when all was kept long enough, nothing is left.
    async fn close(mut self) -> TestResult {
        for (worker, _) in std::mem::take(&mut self.crew.workers) {
            worker.ready().await;
            worker.ask_to_end();
            assert!(worker.end().await, "it did not end in order:\n{}", self.crew.log());
        }
        let clock = Arc::new(Forward::default());
        let sqlite = self.check_file(clock.clone()).await?;
        let namespace = &self.crew.setup.namespace;
        let store: Arc<dyn Store> = match &sqlite {
            Some(store) => store.clone(),
            None => {
                let namespace = Namespace::new(namespace)?;
                Arc::new(RedisStore::open_with(&self.stage.url(), &namespace, Some(clock.clone())).await?)
            }
        };
        let runner = Runner::new(Effects::open(&self.crew.setup.effects)?, Duration::ZERO);
        let builder = self.stage.builder().store(store).namespace(namespace).resource(runner);
        let engine = builder.only::<(errand, fetch)>().start().await?;
        let report = engine.fsck().await?;
        assert!(report.is_sound(), "{report}");
        clock.set_forward(LONGER_THAN_ANYTHING_IS_KEPT);
        let deleted = async || {
            let listed = engine.list().limit(1).await.expect("the store of a test answers");
            listed.instances.is_empty().then_some(())
        };
        wait::until("everything is deleted", deleted).await;
        assert_eq!(engine.overview().await?, Overview::default());
        self.stage.stop(engine).await;
        if let Some(store) = sqlite {
            assert_eq!(store.fsck().await?.findings, []);
        }
        if let Some(server) = &self.stage.server {
            let of_us = |key: &String| [":", "}"].iter().any(|end| key.starts_with(&format!("wf:{{{namespace}{end}")));
            let alone = async || {
                let left: Vec<_> = leftovers::keys(server).into_iter().filter(of_us).collect();
                left.iter().all(|key| ["}:meta", "}:calls"].iter().any(|end| key.ends_with(end))).then_some(())
            };
            wait::until("only what says how the namespace is laid out, and how many calls there were, is left", alone)
                .await;
        }
        Ok(())
    }

    /// A file is as it must be before anything is deleted.
    async fn check_file(&self, clock: Arc<Forward>) -> Result<Option<Arc<SqliteStore>>, StoreError> {
        if self.stage.kind != StoreKind::SqliteFile {
            return Ok(None);
        }
        let namespace = Namespace::new(&self.crew.setup.namespace).expect("it was one before");
        let store = SqliteStore::open(&self.stage.url(), &namespace, clock).await?;
        assert_eq!(store.fsck().await?.findings, []);
        Ok(Some(Arc::new(store)))
    }

    fn pages(&self) -> impl Iterator<Item = &Page> {
        self.hands.iter().flat_map(|hand| &hand.pages)
    }

    fn with_log(&self, error: &EngineError) -> String {
        format!("{error}\n{}", self.crew.log())
    }
}

/// Nobody pauses children, but they can be there at three crashes as well.
async fn release_children(client: &Engine) -> Result<(), EngineError> {
    let paused = client.list().of::<fetch>().state(State::Paused).await?;
    for child in paused.instances {
        let child = fetch::get(client, child.id).await?;
        // It may be terminated meanwhile: its parent began anew.
        let Some(paused) = child.status().await?.paused else { continue };
        assert!(matches!(paused.reason, PauseReason::Quarantined { .. }), "{child:?}: {paused:?}");
        match child.resume().await {
            Err(EngineError::Refused { .. }) => {}
            resumed => drop(resumed?),
        }
    }
    Ok(())
}

/// It came to what follows from its book, and read what it was told.
async fn check_end(handle: &Handle<errand>, page: &Page) -> TestResult {
    let result = handle.result_within(wait::PATIENCE).await;
    let came_to = match &result {
        Ok(Errand { notes, .. }) => Expected::Complete(notes.clone()),
        Err(ResultError::Failed(_)) => Expected::Errored,
        Err(ResultError::Terminated { reason }) => Expected::Terminated(reason.clone()),
        Err(_) => return Err(format!("{result:?}\n{page:#?}").into()),
    };
    assert_eq!(came_to, page.expected(), "{page:#?}");
    let history = handle.history().await?;
    let read = notes_read(&history);
    let all = page.run().to_read();
    assert!(if page.run().terminated.is_some() { all.starts_with(&read) } else { all == read }, "{read:?}\n{page:#?}");
    Ok(())
}

impl Crew {
    fn hire(&mut self) {
        // Some are asked to end with no grace.
        let patient = self.chance.index(2) == 0;
        self.setup.grace = if patient { GRACE } else { Duration::ZERO };
        self.workers.push((TestWorker::start(&self.setup), patient));
    }

    /// One thing happens to the workers.
    async fn suffer(&mut self) {
        wait::moment(Instant::now() + self.chance.millis(10..150)).await;
        let victim = self.chance.index(self.workers.len());
        match self.chance.index(8) {
            0..=3 => self.kill(victim),
            4 | 5 => self.replace(victim).await,
            6 => self.freeze(victim).await,
            _ => {
                for _ in 0..self.workers.len() {
                    self.replace(0).await;
                }
            }
        }
    }

    fn kill(&mut self, victim: usize) {
        let (worker, _) = self.workers.swap_remove(victim);
        self.ends(&worker);
        worker.kill();
        self.hire();
    }

    /// Everything that a process has begun may be what its end interrupts.
    fn ends(&mut self, worker: &TestWorker) {
        self.faults.push(Fault { process: worker.id(), kind: FaultKind::Ends, at: u64::MAX });
    }

    /// Freezes one until others have taken over, some of whom are killed meanwhile.
    async fn freeze(&mut self, victim: usize) {
        let frozen = self.workers.remove(victim);
        frozen.0.freeze();
        let at = errands::now(&self.setup.effects);
        self.faults.push(Fault { process: frozen.0.id(), kind: FaultKind::Freezes, at });
        for _ in 0..3 {
            let killed = self.chance.index(2 * self.workers.len());
            if killed < self.workers.len() {
                self.kill(killed);
            }
            wait::moment(Instant::now() + stage::SHORT_LEASE + self.chance.millis(0..100)).await;
        }
        frozen.0.thaw();
        self.workers.push(frozen);
    }

    /// Starts another, and asks this one to end when that one runs.
    async fn replace(&mut self, index: usize) {
        self.hire();
        let (worker, patient) = self.workers.remove(index);
        // One that does not run yet would die of the question.
        worker.ready().await;
        self.workers[self.workers.len() - 1].0.ready().await;
        worker.ask_to_end();
        if !patient {
            self.ends(&worker);
        }
        assert!(worker.end().await, "it did not end in order:\n{}", self.log());
    }

    /// Fails when a worker has ended by itself.
    fn check(&mut self) {
        let ended = self.workers.iter_mut().any(|(worker, _)| worker.has_ended());
        assert!(!ended, "a worker ended by itself:\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.setup.log).unwrap_or_default()
    }

    /// Processes that said that they lost their session.
    fn fenced(&self) -> BTreeSet<u32> {
        fenced(&self.log())
    }
}

/// Processes that said that they lost their session.
pub(crate) fn fenced(log: &str) -> BTreeSet<u32> {
    let lost = log.lines().filter(|line| line.contains(LOST));
    lost.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}
