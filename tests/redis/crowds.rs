//! Very many at once: timers of one moment, timers over restarts, clients of one instance, events that race with deadlines,
//! steps that all fail together.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use support::chance::Chance;
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;
use tokio::task::JoinSet;

/// How many instances begin in one millisecond.
const HERD: Amount = Amount::of(20_000, 100_000, 1_000_000);
/// How many sleep while workers and the server are started again, and how often these are.
const SLEEPERS: Amount = Amount::of(3_000, 100_000, 1_000_000);
const RESTARTS: Amount = Amount::of(5, 50, 50);
/// How many events are sent to instances that wait for them with deadlines.
const EVENTS: Amount = Amount::of(20_000, 1_000_000, 5_000_000);
/// To how many instances, by how many senders each.
const COLLECTORS: u64 = 100;
const SENDERS: u64 = 2;
/// How many clients one instance has: as many as its mailbox holds.
const CLIENTS: u64 = 1_000;
/// How many steps fail together.
const STORM: Amount = Amount::of(500, 20_000, 100_000);
/// Most instances of one batch.
const BATCH: u64 = 1_000;
/// Most commands of one script, however many instances are due: a hundred and some instances, each some commands.
const COMMANDS_MAX: usize = 4_000;

/// What bodies count.
#[derive(Debug, Clone, Default)]
struct Counts {
    ran: Arc<AtomicUsize>,
    early: Arc<AtomicUsize>,
    attempts: Arc<Mutex<BTreeMap<u64, u32>>>,
}

impl Counts {
    /// A body that must not run before this time. The server's clock is this machine's.
    async fn at(&self, due: SystemTime) -> Result<(), std::convert::Infallible> {
        self.ran.fetch_add(1, Ordering::SeqCst);
        self.early.fetch_add(usize::from(SystemTime::now() < due), Ordering::SeqCst);
        Ok(())
    }

    async fn third_time(&self, number: u64) -> Result<u32, Oops> {
        let mut attempts = self.attempts.lock().expect("nobody panics with the lock");
        let attempt = attempts.entry(number).or_default();
        *attempt += 1;
        let execution = usize::try_from(*attempt).expect("a few");
        if *attempt == 3 { Ok(3) } else { Err(Oops { step: number.to_string(), execution }) }
    }
}

#[workflow]
async fn begins(due: SystemTime, #[resource] counts: &Counts) -> workflow::Result<()> {
    Ok(step!("at", counts.at(due)).await?)
}

#[workflow]
async fn sleeps(due: SystemTime, #[resource] counts: &Counts) -> workflow::Result<()> {
    sleep_until(due).await;
    Ok(step!("at", counts.at(due)).await?)
}

#[workflow]
async fn storms(number: u64, #[resource] counts: &Counts) -> workflow::Result<u32> {
    Ok(step!("fails twice", retries = 2, delay = 50ms, counts.third_time(number)).await?)
}

/// Takes so many events of two channels, and lets some deadlines pass meanwhile.
#[workflow]
async fn collects(events: usize) -> workflow::Result<Vec<(String, u64)>> {
    let mut got: Vec<(String, u64)> = Vec::new();
    while got.len() < events {
        race! {
            first = wait_for::<Go>("first").key("0").timeout(20ms) => if let Ok(go) = first {
                got.push(("0".to_owned(), go.number));
            },
            second = wait_for::<Go>("second").key("1") => got.push(("1".to_owned(), second.number)),
            () = sleep(15ms) => {},
        }
        .await;
    }
    Ok(got)
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Counts what each script calls, while it is there.
struct Scripts {
    over: Arc<AtomicBool>,
    counting: std::thread::JoinHandle<usize>,
}

impl Scripts {
    fn watched(server: &RedisServer) -> Self {
        let url = server.url();
        let mut socket = UnixStream::connect(url.trim_start_matches("unix://")).expect("it answers");
        socket.write_all(format!("{}MONITOR\r\n", server.harness_login()).as_bytes()).expect("it reads");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let over = Arc::new(AtomicBool::new(false));
        let until = over.clone();
        let count = move || {
            let (mut lines, mut line, mut longest, mut now) = (BufReader::new(socket), Vec::new(), 0, 0);
            loop {
                match lines.read_until(b'\n', &mut line) {
                    Ok(0) => return longest,
                    Ok(_) => {
                        // The client is named before the command, and a script's is `lua`.
                        let head = String::from_utf8_lossy(&line[..line.len().min(40)]).into_owned();
                        now = if head.contains(" lua]") { now + 1 } else { 0 };
                        longest = longest.max(now);
                        line.clear();
                    }
                    Err(_) if until.load(Ordering::SeqCst) => return longest,
                    // What is read before a timeout stays in `line`.
                    Err(_) => {}
                }
            }
        };
        let counting = std::thread::Builder::new().name("monitor".to_owned()).spawn(count);
        Self { over, counting: counting.expect("a test can have threads") }
    }

    /// The most commands that one script called.
    fn longest(self) -> usize {
        self.over.store(true, Ordering::SeqCst);
        self.counting.join().expect("it counts")
    }
}

async fn all_complete(engine: &Engine, wanted: u64) {
    let give_up = Instant::now() + wait::PATIENCE * 5;
    loop {
        let overview = engine.overview().await.expect("it reads");
        if overview.complete == wanted {
            return;
        }
        assert!(Instant::now() < give_up, "{wanted} were to complete: {overview:?}\n{}", engine.health());
        wait::moment(Instant::now() + Duration::from_millis(50)).await;
    }
}

#[test]
fn a_herd_that_is_due_in_one_millisecond_is_served_in_small_scripts() {
    let server = RedisServer::start();
    let runtime = threads();
    runtime.block_on(async {
        let (counts, herd) = (Counts::default(), HERD.wanted());
        let engine = Engine::builder().store(server.url()).resource(counts.clone()).only::<begins>();
        let engine = engine.concurrency(256).start().await.expect("it starts");
        let due = SystemTime::now() + Duration::from_secs(2 + herd / 10_000);
        for _ in 0..herd / BATCH {
            let batch = (0..BATCH).map(|_| begins::new(due).start_at(due));
            for made in begins::create_batch(&engine, batch).await.expect("they are made") {
                made.expect("it is made");
            }
        }
        let scripts = Scripts::watched(&server);
        all_complete(&engine, herd).await;
        let (ran, early) = (counts.ran.load(Ordering::SeqCst) as u64, counts.early.load(Ordering::SeqCst));
        assert_eq!((ran, early), (herd, 0), "each once, and none too early");
        let longest = scripts.longest();
        assert!((1..=COMMANDS_MAX).contains(&longest), "a script called {longest} commands");
        eprintln!("the longest script called {longest} commands");
        assert!(engine.health().is_good());
    });
    runtime.shutdown_background();
}

#[test]
fn timers_outlive_restarts_of_workers_and_of_the_server_and_fire_once_and_never_early() {
    let mut chance = Chance::new("timers over restarts");
    let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let runtime = threads();
    runtime.block_on(async {
        let (counts, sleepers, restarts) = (Counts::default(), SLEEPERS.wanted(), RESTARTS.wanted());
        let worker = async |url: String| {
            let engine = Engine::builder().store(url).resource(counts.clone()).only::<sleeps>().mode(Mode::Worker);
            engine.concurrency(128).lease(Duration::from_secs(20)).start().await.expect("it starts")
        };
        let client = Engine::builder().store(server.url()).mode(Mode::Client).start().await.expect("it starts");
        let mut engine = worker(server.url()).await;
        let begun = SystemTime::now();
        let last_ms = 4_000 + sleepers;
        for _ in 0..sleepers / BATCH {
            let dues: Vec<_> = (0..BATCH).map(|_| begun + chance.millis(1_000..last_ms)).collect();
            let made = sleeps::create_batch(&client, dues.into_iter().map(sleeps::new)).await.expect("they are made");
            made.into_iter().for_each(|made| drop(made.expect("it is made")));
        }
        for restart in 0..restarts {
            wait::moment(Instant::now() + chance.millis(200..800)).await;
            if restart % 2 == 0 {
                server.restart();
            } else {
                engine.shutdown(wait::PATIENCE).await;
                engine = worker(server.url()).await;
            }
        }
        all_complete(&client, sleepers).await;
        let (ran, early) = (counts.ran.load(Ordering::SeqCst) as u64, counts.early.load(Ordering::SeqCst));
        assert_eq!((ran, early), (sleepers, 0), "each once, and none too early");
        assert_eq!(engine.health().worker.map(|worker| worker.data_losses), Some(0));
    });
    runtime.shutdown_background();
}

#[test]
fn events_that_race_with_deadlines_come_once_and_in_the_order_of_each_sender() {
    let server = RedisServer::start();
    let runtime = threads();
    runtime.block_on(async {
        let engine = Engine::builder().store(server.url()).only::<collects>().concurrency(128);
        let engine = engine.start().await.expect("it starts");
        let each = EVENTS.wanted().min(COLLECTORS * SENDERS * 400) / COLLECTORS / SENDERS;
        for turn in 0..EVENTS.wanted().div_ceil(each * COLLECTORS * SENDERS) {
            let mut senders = JoinSet::new();
            let mut instances = Vec::new();
            for number in 0..COLLECTORS {
                let all = usize::try_from(each * SENDERS).expect("not that many");
                let id = format!("{turn}-{number}");
                let instance = collects::create(&engine, all).id(id).await.expect("it is made");
                for sender in 0..SENDERS {
                    let instance = instance.clone();
                    senders.spawn(async move {
                        for number in 0..each {
                            instance.send(Go { number }).key(sender.to_string()).await.expect("it is sent");
                        }
                    });
                }
                instances.push(instance);
            }
            while let Some(sent) = senders.join_next().await {
                sent.expect("it sends");
            }
            for instance in instances {
                let got = instance.result_within(wait::PATIENCE).await.expect("it ends");
                for sender in 0..SENDERS {
                    let of_sender = got.iter().filter(|(key, _)| *key == sender.to_string()).map(|(_, number)| *number);
                    assert!(of_sender.eq(0..each), "{}: {got:?}", instance.id());
                }
            }
        }
    });
    runtime.shutdown_background();
}

#[test]
fn a_thousand_clients_of_one_instance_are_all_heard_and_all_answered() {
    let server = RedisServer::start();
    let runtime = threads();
    runtime.block_on(async {
        let engine = Engine::builder().store(server.url()).only::<collects>().start().await.expect("it starts");
        let instance = collects::create(&engine, usize::try_from(CLIENTS).expect("a thousand")).id("busy").await;
        let instance = instance.expect("it is made");
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let instance = instance.clone();
            clients.spawn(async move {
                instance.send(Go { number }).key((number % 2).to_string()).await.expect("it is sent");
                instance.result_within(wait::PATIENCE * 2).await.expect("it ends")
            });
        }
        while let Some(answer) = clients.join_next().await {
            let answer = answer.expect("it is answered");
            let heard: BTreeSet<u64> = answer.iter().map(|(_, number)| *number).collect();
            assert_eq!((answer.len() as u64, heard.len() as u64), (CLIENTS, CLIENTS));
        }
    });
    runtime.shutdown_background();
}

#[test]
fn steps_that_all_fail_together_are_tried_again_as_often_as_they_may_be() {
    let server = RedisServer::start();
    let runtime = threads();
    runtime.block_on(async {
        let (counts, storm) = (Counts::default(), STORM.wanted());
        let engine = Engine::builder().store(server.url()).resource(counts.clone()).only::<storms>();
        let engine = engine.concurrency(64).start().await.expect("it starts");
        for first in (0..storm).step_by(100) {
            let made =
                storms::create_batch(&engine, (first..first + 100).map(storms::new)).await.expect("they are made");
            made.into_iter().for_each(|made| drop(made.expect("it is made")));
        }
        all_complete(&engine, storm).await;
        let attempts = counts.attempts.lock().expect("nobody panics with the lock").clone();
        assert_eq!(attempts.len() as u64, storm);
        assert!(attempts.values().all(|attempts| *attempts == 3), "three attempts each: {attempts:?}");
    });
    runtime.shutdown_background();
}
