//! What clients in several processes asked for and were answered, while workers, clients and the server are killed: for
//! each instance there is an order of all calls, one at a time, that explains every answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use support::chance::Chance;
use support::effects::Effects;
use support::ledger::{Answer, Call, Clerk, Line, id_of, lines};
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;
use support::worker::{Serves, TestWorker};

use super::books::Books;
use super::fleet::Fleet;
use super::linear::{Event, check};

on_every_shared_store!(an_order_of_all_calls_explains_every_answer_while_workers_and_clients_are_killed,);

mod redis_that_is_killed {
    use support::StoreKind;

    #[test]
    fn an_order_of_all_calls_explains_every_answer_while_the_server_is_killed_too() {
        support::run(StoreKind::Redis, super::with_the_server);
    }
}

/// How many instances.
const INSTANCES: Amount = Amount::of(50, 5_000, 20_000);
/// Client processes at a time.
const CLIENTS: usize = 2;
/// Worker processes at a time.
const WORKERS: usize = 3;

async fn an_order_of_all_calls_explains_every_answer_while_workers_and_clients_are_killed(stage: Stage) -> TestResult {
    Trouble::new(stage).await.run().await
}

async fn with_the_server(mut stage: Stage) -> TestResult {
    stage.server = Some(RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]));
    let mut trouble = Trouble::new(stage).await;
    trouble.server = trouble.fleet.stage.server.take();
    trouble.run().await
}

/// Processes that work on ledgers, and what happens to them.
struct Trouble {
    chance: Chance,
    fleet: Fleet,
    clients: Vec<TestWorker>,
    log: PathBuf,
    instances: usize,
    /// The server, where it is killed too.
    server: Option<RedisServer>,
    kills: [usize; 3],
}

impl Trouble {
    async fn new(stage: Stage) -> Self {
        let chance = Chance::new("histories");
        let mut fleet = Fleet::new(stage, 8, Duration::from_millis(2)).await;
        fleet.setup.serves = Serves::Ledgers;
        for _ in 0..WORKERS {
            fleet.start_worker();
        }
        let log = fleet.stage.folder().join("calls");
        let instances = usize::try_from(INSTANCES.wanted()).expect("they fit");
        Self { chance, fleet, clients: Vec::new(), log, instances, server: None, kills: [0; 3] }
    }

    async fn run(mut self) -> TestResult {
        for _ in 0..CLIENTS {
            self.start_client();
        }
        while !self.clients.is_empty() {
            wait::moment(Instant::now() + self.chance.millis(20..150)).await;
            self.clients.retain_mut(|client| {
                let outcome = client.outcome();
                assert!(outcome.is_none_or(|outcome| outcome.success()), "{outcome:?}\n{}", self.fleet.log());
                outcome.is_none()
            });
            self.suffer().await;
            self.fleet.check_workers();
        }
        self.close().await?;
        self.check()
    }

    fn start_client(&mut self) {
        // It goes on where others are.
        let reached = lines(&self.log).iter().filter_map(number_of).max().unwrap_or(0);
        let (seed, setup) = (self.chance.number(), &self.fleet.setup);
        self.clients.push(TestWorker::start_calling(setup, &self.log, seed, [reached, self.instances]));
    }

    async fn suffer(&mut self) {
        let what = match (self.kills, &self.server) {
            // Each is killed once in any case.
            ([_, 0, _], _) => 2,
            ([_, _, 0], Some(_)) => 0,
            ([0, ..], _) => 3,
            _ => self.chance.index(6),
        };
        match (what, &mut self.server) {
            (0 | 1, Some(server)) => {
                // Who starts while there is no server does not start.
                for process in self.fleet.workers.iter().chain(&self.clients) {
                    process.ready().await;
                }
                server.kill();
                wait::moment(Instant::now() + self.chance.millis(0..60)).await;
                server.restart();
                self.kills[2] += 1;
            }
            (2, _) if !self.clients.is_empty() => {
                let client = self.chance.index(self.clients.len());
                self.clients.swap_remove(client).kill();
                self.start_client();
                self.kills[1] += 1;
            }
            (0..=3, _) => {
                self.fleet.replace_worker(self.chance.index(WORKERS));
                self.kills[0] += 1;
            }
            _ => {}
        }
    }

    /// Brings every instance to its end: each comes to one.
    async fn close(&self) -> TestResult {
        let clerk = Clerk::new(self.fleet.client.clone(), Effects::open(&self.log)?);
        for id in (0..self.instances).map(id_of) {
            let give_up = Instant::now() + wait::PATIENCE;
            while !matches!(clerk.close(&id).await, Answer::Complete(_) | Answer::Terminated(_)) {
                assert!(Instant::now() < give_up, "{id} does not end\n{}", self.fleet.log());
            }
        }
        Ok(())
    }

    fn check(&self) -> TestResult {
        let log = self.fleet.log();
        let quarantined = |id: &str| log.contains(&format!("instance={id} "));
        let lines = lines(&self.log);
        let (mut answers, mut open, mut calls) = (BTreeMap::<&str, usize>::new(), 0, 0);
        let histories = histories(&lines);
        assert_eq!(histories.len(), self.instances, "each has a history");
        for (id, events) in histories {
            calls += events.len();
            for event in &events {
                let Some((_, answer)) = &event.ends else {
                    open += 1;
                    continue;
                };
                *answers.entry(name(answer)).or_default() += 1;
            }
            check(Books::unborn(quarantined(id)), &events).map_err(|why| format!("{id}: {why}\n{log}"))?;
        }
        let [workers, clients, servers] = self.kills;
        eprintln!("killed {workers} workers, {clients} clients, {servers} servers; {calls} calls, {open} unanswered");
        eprintln!("{answers:?}");
        let missing: BTreeSet<_> = EXPECTED.iter().filter(|name| !answers.contains_key(**name)).collect();
        assert!(missing.is_empty(), "nobody was answered {missing:?}");
        assert!(workers > 0 && clients > 0 && (servers > 0) == self.server.is_some(), "{:?}", self.kills);
        Ok(())
    }
}

/// What somebody is answered in every run.
const EXPECTED: [&str; 9] =
    ["created", "exists", "accepted", "finished", "done", "refused", "seen", "complete", "terminated"];

fn name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Created => "created",
        Answer::Exists(_) => "exists",
        Answer::Accepted => "accepted",
        Answer::Finished => "finished",
        Answer::NotFound => "not found",
        Answer::Done(_) => "done",
        Answer::Refused(_) => "refused",
        Answer::Seen { .. } => "seen",
        Answer::Complete(_) => "complete",
        Answer::Terminated(_) => "terminated",
        Answer::Nothing => "nothing",
        Answer::Unknown(_) => "unknown",
        Answer::Odd(_) => "odd",
    }
}

fn number_of(line: &Line) -> Option<usize> {
    let Line::Begins { id, .. } = line else { return None };
    id.rsplit('-').next()?.parse().ok()
}

/// The calls of each instance, in the order in which they began. A question that was not answered tells nothing.
fn histories(lines: &[Line]) -> BTreeMap<&str, Vec<Event<Call, Answer>>> {
    let mut answers: HashMap<u64, (usize, &Answer)> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Line::Ends { number, answer } = line {
            let before = answers.insert(*number, (at, answer));
            assert!(before.is_none(), "two calls of number {number}");
        }
    }
    let mut histories: BTreeMap<&str, Vec<Event<Call, Answer>>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let Line::Begins { number, id, call } = line else { continue };
        let ends = match answers.get(number) {
            None | Some((_, Answer::Unknown(_))) => None,
            Some((_, Answer::Nothing)) => continue,
            Some((at, answer)) => Some((*at, (*answer).clone())),
        };
        if ends.is_some() || !matches!(call, Call::Status | Call::Result) {
            histories.entry(id).or_default().push(Event { call: *call, begins: at, ends });
        }
    }
    histories
}
