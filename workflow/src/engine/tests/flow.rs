//! From a create to an end: local start, claims, waits, memory, timers, two engines.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::stage::{Engine, LONG_LEASE, ONE, Stage, create, eventually, soon};
use crate::engine::Mode;
use crate::engine::drives::Signal;
use crate::engine::holding::{Holding, Written, nothing};
use crate::journal::command::{Action, Command, Create, CreateReply, Ending, PauseReason, Reply, Then};
use crate::journal::head::{Place, State};
use crate::journal::machine::LIMIT_EXCEEDED;
use crate::words::limits::JOURNAL_BYTES_MAX;
use crate::words::payload::Payload;

/// A worker in whose memory `a` waits for the second of its events; the first had this number.
async fn waiting(stage: &Stage, number: u32) -> Engine {
    let engine = stage.worker().await;
    engine.create("waits", "a").await;
    stage.until_state("a", State::Waiting).await;
    eventually("no slot is held", || engine.driving() == 0).await;
    engine.send("a", number).await;
    stage.until("a", "consumed it and waits again", |head| head.unread == 0 && head.state() == State::Waiting).await;
    engine
}

#[tokio::test]
async fn a_created_instance_starts_here_in_the_same_write() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("one", "a").await;
    let head = stage.head("a").expect("created");
    assert!(matches!(head.place, Place::Held { .. }), "{head:?}");
    stage.body().await.end(7);
    assert_eq!(stage.output("a").await, 7);
    assert_eq!(engine.journals_read(), 0, "it was never loaded");
}

/// Looks, when it is woken, how many slots are free.
struct Watcher {
    slots: Arc<Semaphore>,
    free_when_woken: OnceLock<usize>,
}

impl std::task::Wake for Watcher {
    fn wake(self: Arc<Self>) {
        let _ = self.free_when_woken.set(self.slots.available_permits());
    }
}

#[tokio::test]
async fn a_slot_is_free_when_the_end_of_its_run_is_told() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    let worker = engine.core.worker.clone().expect("it executes");
    let session = worker.session.current().expect("it has one");
    let command = Command::Create(Create { local: Some(session.id()), ..create("one", "a") });
    let reply = soon(worker.commands.send(command)).await.expect("the store answers");
    let Reply::Create(CreateReply::Created { claimed: Some(claimed) }) = reply else { panic!("{reply:?}") };
    let signal = Arc::new(Signal::default());
    let slots = Arc::new(Semaphore::new(1));
    let slot = slots.clone().try_acquire_owned().expect("it is free");
    let watcher = Arc::new(Watcher { slots, free_when_woken: OnceLock::new() });
    let mut holding = Holding::new(worker, session, &claimed, signal.clone(), slot);
    let mut end = std::pin::pin!(signal.end());
    let waker = watcher.clone().into();
    assert!(end.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let ending = Ending { result: Ok(Payload::encode(&1).expect("encodes")) };
    let written = soon(holding.write(None, nothing(Then::Finish(ending)))).await;
    assert!(matches!(written, Ok(Written::Ok(_))));
    assert_eq!(watcher.free_when_woken.get(), Some(&1));
}

#[tokio::test]
async fn a_worker_takes_what_others_created() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    client.create("two", "a").await;
    assert_eq!(stage.head("a").expect("created").state(), State::Queued);
    let worker = stage.engine(Mode::Worker, LONG_LEASE).await;
    stage.body().await.end(1);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
    eventually("the slot is free", || worker.driving() == 0).await;
}

#[tokio::test]
async fn a_watcher_is_told_of_the_end_at_once() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    let mut watch = engine.core.changes().watch(&super::stage::id("a"));
    engine.create("one", "a").await;
    stage.body().await.end(1);
    let began = tokio::time::Instant::now();
    soon(async {
        while !stage.head("a").is_some_and(|head| head.state().is_final()) {
            watch.changed().await;
        }
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(4), "not by the fallback of 5 s");
}

#[tokio::test]
async fn a_waiting_instance_holds_no_slot_and_goes_on_from_memory() {
    let stage = Stage::new();
    let engine = waiting(&stage, 4).await;
    engine.send("a", 2).await;
    assert_eq!(stage.output("a").await, 42);
    assert_eq!(engine.journals_read(), 0, "it went on from memory");
}

#[tokio::test]
async fn another_worker_replays_what_this_one_suspended() {
    let stage = Stage::new();
    waiting(&stage, 4).await.core.shutdown(Duration::ZERO).await;
    let second = stage.engine(Mode::All, LONG_LEASE).await;
    second.send("a", 2).await;
    assert_eq!(stage.output("a").await, 42);
    assert_eq!(second.journals_read(), 1);
}

#[tokio::test]
async fn an_event_that_comes_while_a_body_runs_reaches_its_owner() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("pair", "a").await;
    let body = stage.body().await;
    engine.send("a", 30).await;
    // The body still runs, so only a notice can have brought the event into the journal.
    stage.until("a", "consumed the event", |head| head.arrivals == 1 && head.unread == 0).await;
    assert!(!body.is_dropped());
    body.end(5);
    assert_eq!(stage.output("a").await, 35);
    stage.no_body().await;
}

#[tokio::test]
async fn a_sleep_is_not_early_and_its_worker_wakes_it() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("sleeps", "a").await;
    assert_eq!(stage.output("a").await, 1);
    let head = stage.head("a").expect("kept");
    let Place::Done { at, .. } = head.place else { panic!("{head:?}") };
    let slept = at.since(head.created_at);
    assert!(slept >= 150, "{slept} ms");
    assert!(slept < 900, "{slept} ms: by its due time, not by the periodic sweep");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_on_one_store_run_each_body_once() {
    let stage = Stage::new();
    let (one, two) = (stage.engine(Mode::All, LONG_LEASE).await, stage.engine(Mode::All, LONG_LEASE).await);
    for number in 0..100 {
        stage.put("two", &format!("i{number}"));
    }
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let body = stage.body().await;
        assert!(seen.insert((body.instance.clone(), body.step)), "{body:?} ran twice");
        body.end(1);
    }
    for number in 0..100 {
        assert_eq!(stage.output(&format!("i{number}")).await, 2);
    }
    stage.no_body().await;
    eventually("nothing is driven", || one.driving() + two.driving() == 0).await;
}

#[tokio::test]
async fn more_instances_than_slots_wait_for_one() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, LONG_LEASE).await;
    for number in 0..20 {
        stage.put("one", &format!("i{number}"));
    }
    let mut running = Vec::new();
    for _ in 0..16 {
        running.push(stage.body().await);
    }
    assert_eq!(engine.driving(), 16);
    stage.no_body().await;
    running.pop().expect("sixteen").end(1);
    running.push(stage.body().await);
    for body in running {
        body.end(1);
    }
    for _ in 0..3 {
        stage.body().await.end(1);
    }
    for number in 0..20 {
        assert_eq!(stage.output(&format!("i{number}")).await, 1);
    }
}

#[tokio::test]
async fn what_no_worker_knows_waits_on_a_shelf_until_one_does() {
    let stage = Stage::new();
    let first = stage.engine_of(Mode::Worker, LONG_LEASE, vec![&super::stage::TWO]).await;
    stage.put("one", "a");
    stage.put("two", "b");
    // What is behind the unknown one in the queue is taken.
    let behind = stage.body().await;
    assert_eq!(behind.instance, "b");
    eventually("the shelf is shown", || {
        let shelves = first.core.health().worker.expect("a worker").shelves;
        shelves.iter().any(|shelf| (shelf.workflow.as_str(), shelf.version, shelf.instances) == ("one", 1, 1))
    })
    .await;
    let _second = stage.engine_of(Mode::Worker, LONG_LEASE, vec![&ONE]).await;
    let body = stage.body().await;
    assert_eq!(body.instance, "a");
    body.end(1);
    assert_eq!(stage.output("a").await, 1);
    assert!(!behind.is_dropped());
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_parks_its_run() {
    let stage = Stage::new();
    waiting(&stage, 1).await.core.shutdown(Duration::ZERO).await;
    let second = stage.engine(Mode::All, LONG_LEASE).await;
    second.way.garbled.store(true, Ordering::SeqCst);
    second.send("a", 2).await;
    let head = stage.until_state("a", State::Paused).await;
    let Place::Paused { reason: PauseReason::Unreadable { message }, .. } = head.place else { panic!("{head:?}") };
    assert!(message.contains("record 0"), "{message}");
    eventually("its slot is free", || second.driving() == 0).await;
}

#[tokio::test]
async fn a_panic_of_the_engine_parks_the_run_it_drove() {
    let stage = Stage::new();
    waiting(&stage, 1).await.core.shutdown(Duration::ZERO).await;
    let second = stage.engine(Mode::All, LONG_LEASE).await;
    second.way.journal_panics.store(true, Ordering::SeqCst);
    second.send("a", 2).await;
    let head = stage.until_state("a", State::Paused).await;
    let Place::Paused { reason: PauseReason::Panic { message }, .. } = head.place else { panic!("{head:?}") };
    assert!(message.contains("the store's code panics"), "{message}");
    assert_eq!(second.core.health().worker.expect("a worker").drive_panics, 1);
    second.way.journal_panics.store(false, Ordering::SeqCst);
    second.control("a", Action::Resume).await;
    assert_eq!(stage.output("a").await, 12);
}

#[tokio::test]
async fn a_run_whose_journal_is_full_ends_with_an_error_that_says_so() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    let body = stage.body().await;
    let mut data = stage.store.dump();
    data.instances.values_mut().for_each(|instance| instance.head.journal_bytes = JOURNAL_BYTES_MAX);
    stage.store.restore(data);
    body.end(1);
    let failure = stage.failure("a").await;
    assert_eq!(failure.class, LIMIT_EXCEEDED);
    assert!(failure.fatal);
    stage.no_body().await;
}
