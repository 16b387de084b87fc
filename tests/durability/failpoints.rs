//! Processes that die at every named place: before and after each kind of command, in the middle of a batch, in bodies,
//! at a beat of the heart. Others, and in the end a new process, finish everything.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use support::chance::Chance;
use support::chores::{Ack, ENOUGH, NOTES, acks};
use support::errands::{self, Mark, Note, errand, front};
use support::failpoints::{Failpoint, MET};
use support::prelude::*;
use support::size::Amount;
use support::worker::{READY, Serves, TestWorker};

use super::account::{Account, Fault, FaultKind};
use super::book::Page;
use super::fleet::Fleet;
use super::hand::notes_read;
use super::operator::fenced;

on_every_shared_store!(whoever_dies_wherever_others_finish_everything,);

/// How often each is met.
const ROUNDS: Amount = Amount::of(1, 10, 60);
/// Households that live at a time.
const SIDE_BY_SIDE: usize = 6;
/// Instances that each drives at a time.
const CONCURRENCY: usize = 16;
/// Longer than any body takes: who is asked to end hands over what has more to do.
const GRACE: Duration = Duration::from_secs(20);
/// How many may have nothing to hand over when they are asked to end, before one must.
const ASKED_TO_END: u32 = 20;
/// How often everyone is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What aborts a process.
const SIGABRT: i32 = 6;

async fn whoever_dies_wherever_others_finish_everything(stage: Stage) -> TestResult {
    let mut chance = Chance::new("failpoints");
    let mut fleet = Fleet::new(stage, CONCURRENCY, Duration::from_millis(6)).await;
    (fleet.setup.serves, fleet.setup.grace) = (Serves::Chores, GRACE);
    let mut town = Town { acks: fleet.stage.folder().join("acks"), faults: Vec::new(), fleet };
    for _ in 0..ROUNDS.wanted() {
        let mut points = Failpoint::all();
        let mut living: Vec<Household> = Vec::new();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while !(points.is_empty() && living.is_empty()) {
            while living.len() < SIDE_BY_SIDE && !points.is_empty() {
                let point = points.swap_remove(chance.index(points.len()));
                let times = if point.is_frequent() { chance.within(1..4) } else { 1 };
                living.push(town.settle_in(point, times));
            }
            looks.tick().await;
            living.retain_mut(|household| !town.is_over(household));
        }
    }
    town.finish().await
}

/// A process that is to die at a place.
struct Household {
    process: TestWorker,
    point: Failpoint,
    since: Instant,
    asked_to_end: bool,
    /// How many were asked to end before it, and had nothing to hand over.
    before: u32,
}

/// All there ever were, and what they did.
struct Town {
    fleet: Fleet,
    acks: PathBuf,
    faults: Vec<Fault>,
}

impl Town {
    fn settle_in(&mut self, point: Failpoint, times: u64) -> Household {
        let process = TestWorker::start_failing(&self.fleet.setup, point, times, &self.acks);
        // Everything that it has begun may be what its end interrupts.
        self.faults.push(Fault { process: process.id(), kind: FaultKind::Ends, at: u64::MAX });
        Household { process, point, since: Instant::now(), asked_to_end: false, before: 0 }
    }

    /// Whether it has died, which it must where it should. One that ends well, as it had nothing to hand over at the moment
    /// at which it was asked to, is followed by another.
    fn is_over(&mut self, household: &mut Household) -> bool {
        let (id, point) = (household.process.id(), household.point);
        if let Some(outcome) = household.process.outcome() {
            let met = self.fleet.log().lines().any(|line| line == format!("{id} {MET} {point}"));
            let died = outcome.signal() == Some(SIGABRT);
            if !met && household.asked_to_end && outcome.success() && household.before < ASKED_TO_END {
                *household = Household { before: household.before + 1, ..self.settle_in(point, 1) };
                return false;
            }
            assert!(met && died, "{point} was not met: {id} ended with {outcome}\n{}", self.fleet.log());
            return true;
        }
        assert!(household.since.elapsed() < 3 * wait::PATIENCE, "{point} is never met\n{}", self.fleet.log());
        if point.is_met_at_the_end() && !household.asked_to_end && self.is_at_work(id) {
            household.process.ask_to_end();
            household.asked_to_end = true;
        }
        false
    }

    fn is_at_work(&self, id: u32) -> bool {
        let runs = self.fleet.log().lines().any(|line| line == format!("{id} {READY}"));
        runs && self.marks().iter().any(|mark| mark.process == id)
    }

    fn marks(&self) -> Vec<Mark> {
        errands::marks(&self.fleet.setup.effects)
    }

    /// A new process finishes everything, and everything is as it was acknowledged.
    async fn finish(mut self) -> TestResult {
        self.fleet.start_worker();
        let acks = self.acks();
        let give_up = Instant::now() + wait::PATIENCE;
        let all = loop {
            let all = self.all().await?;
            let open: Vec<_> = all.values().filter(|state| !state.1.is_final()).collect();
            if open.is_empty() {
                break all;
            }
            assert!(Instant::now() < give_up, "stuck: {open:?}\n{}", self.fleet.log());
            for (id, (workflow, state)) in all.iter().filter(|(_, (_, state))| !state.is_final()) {
                let acked = acks.get(id).is_some_and(|acks| acks.contains(&Ack::Terminated));
                assert!(!acked, "{id} was terminated, and is {state:?}");
                self.go_on_with(id, workflow, *state).await?;
            }
            wait::moment(Instant::now() + LOOK_EVERY).await;
        };
        self.fleet.check_workers();
        self.check_acks(&acks, &all).await?;
        self.check_log();
        self.check_marks();
        self.fleet.check_store().await
    }

    fn acks(&self) -> BTreeMap<String, Vec<Ack>> {
        let mut of: BTreeMap<String, Vec<Ack>> = BTreeMap::new();
        for (id, ack) in acks(&self.acks) {
            of.entry(id).or_default().push(ack);
        }
        of
    }

    /// Every instance, with its workflow and its state.
    async fn all(&self) -> Result<BTreeMap<String, (String, State)>, EngineError> {
        let mut all = BTreeMap::new();
        let mut list = self.fleet.client.list().limit(500).await?;
        loop {
            all.extend(list.instances.into_iter().map(|item| (item.id, (item.workflow, item.state))));
            let Some(next) = list.next else { return Ok(all) };
            list = self.fleet.client.list().limit(500).after(next).await?;
        }
    }

    /// Does what its customer died before.
    async fn go_on_with(&self, id: &str, workflow: &str, state: State) -> Result<(), EngineError> {
        let instance = self.fleet.client.instance(id).await?;
        let done = match (workflow, state) {
            ("stumble", State::Paused) => instance.terminate(ENOUGH).await,
            // By its customer, or in quarantine.
            (_, State::Paused) => instance.resume().await,
            ("errand", _) => {
                let last = NOTES[1];
                instance.send(Note::new(last, true)).id(format!("note-{last}")).await.map(|()| state)
            }
            _ => Ok(state),
        };
        match done {
            // It went on meanwhile.
            Err(EngineError::Refused { .. } | EngineError::Finished { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// What was acknowledged is so.
    async fn check_acks(
        &self,
        acks: &BTreeMap<String, Vec<Ack>>,
        all: &BTreeMap<String, (String, State)>,
    ) -> TestResult {
        for (id, acks) in acks.iter().filter(|(_, acks)| !acks.contains(&Ack::Deleting)) {
            let Some((workflow, state)) = all.get(id) else { return Err(format!("{id} was created: {acks:?}").into()) };
            let is_right = match state {
                State::Terminated => {
                    workflow == "stumble" || acks.contains(&Ack::Terminated) || acks == &[Ack::Created]
                }
                State::Errored => workflow == "errand" && id.ends_with(['0', '5']),
                state => *state == State::Complete && !acks.contains(&Ack::Terminated),
            };
            assert!(is_right, "{id} is {state:?}: {acks:?}");
            if workflow == "errand" && *state != State::Terminated {
                self.check_errand(id, acks).await?;
            }
        }
        assert!(acks.len() > 2 * Failpoint::all().len(), "there was work: {}", acks.len());
        for kind in [Ack::Terminated, Ack::Returned, Ack::Deleting, Ack::ToldLast] {
            assert!(acks.values().flatten().any(|ack| *ack == kind), "{kind:?} was acknowledged to somebody");
        }
        Ok(())
    }

    /// It read what it was told, and each of its operations has one end.
    async fn check_errand(&self, id: &str, acks: &[Ack]) -> TestResult {
        let history = errand::get(&self.fleet.client, id).await?.history().await?;
        let read: Vec<u64> = notes_read(&history).into_iter().map(|note| note.number).collect();
        let may_be_left_out = !acks.contains(&Ack::ToldFirst);
        assert!(read == NOTES || (may_be_left_out && read == NOTES[1..]), "{id} read {read:?}: {acks:?}\n{history}");
        let mut paths = BTreeSet::new();
        for operation in &history.operations {
            assert!(paths.insert(operation.path.to_string()), "{} is there twice\n{history}", operation.path);
            assert!(operation.end.is_some(), "{} has no end\n{history}", operation.path);
        }
        Ok(())
    }

    fn check_log(&self) {
        let log = self.fleet.log();
        let odd = |line: &&str| {
            line.contains("a customer was told") || (line.contains("panicked at") && !line.contains("chores.rs"))
        };
        assert_eq!(log.lines().find(odd), None, "{log}");
    }

    fn check_marks(&self) {
        let marks = self.marks();
        let mut pages: BTreeMap<&str, Page> = BTreeMap::new();
        for mark in marks.iter().filter(|mark| front(&mark.step).is_none()) {
            let page = pages.entry(&mark.instance).or_insert_with(|| {
                let mut page = Page::new(&mark.instance, 0, "created by a household");
                page.runs.clear();
                page
            });
            while page.runs.len() < mark.run as usize {
                page.runs.push(super::book::Run::default());
                NOTES.iter().for_each(|number| page.told(&Note::new(*number, *number == NOTES[1])));
            }
        }
        let pages: Vec<Page> = pages.into_values().collect();
        let fenced = fenced(&self.fleet.log());
        let account = Account { pages: &pages, marks: &marks, faults: &self.faults, fenced: &fenced };
        let repeated = account.check();
        let deaths = self.faults.len();
        eprintln!("{deaths} deaths, {} bodies, {repeated} of them again", marks.len());
        // Two of one instance can run side by side.
        assert!(repeated <= deaths * CONCURRENCY * 2, "{repeated} bodies ran again");
    }
}
