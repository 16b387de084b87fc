//! What is heard of is done at once. The time of these tests passes only while nothing is to do: so what a loop finds
//! when it looks by itself is seconds late.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::stage::{Engine, LONG_LEASE, Stage, WORKFLOWS, eventually};
use crate::engine::{LimitRule, Mode};
use crate::journal::command::Action;
use crate::journal::head::{Place, State};
use crate::journal::lease::LimitName;
use crate::words::id::WorkflowName;

/// Less than any loop pauses, and more than the looks of a test at the store.
const AT_ONCE: Duration = Duration::from_millis(50);

/// That it is quiet before, so that no look that is due anyway falls into what follows.
async fn quiet(engine: &Engine) -> Instant {
    engine.ready().await;
    let claims = engine.way.claims.load(Ordering::SeqCst);
    eventually("it has just asked for work", || engine.way.claims.load(Ordering::SeqCst) > claims).await;
    Instant::now()
}

/// A worker that has one instance that waits for an event, and one in its first body.
async fn one_asleep_and_one_awake(stage: &Stage) -> Engine {
    let engine = stage.worker().await;
    engine.create("waits", "asleep").await;
    stage.until_state("asleep", State::Waiting).await;
    engine.create("two", "awake").await;
    engine
}

#[tokio::test(start_paused = true)]
async fn work_is_taken_when_the_store_tells_of_it() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::Worker, LONG_LEASE).await;
    let began = quiet(&engine).await;
    stage.put("one", "a");
    stage.body().await.end(1);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(stage.output("a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_too_slow_looks_again_after_a_moment_though_nobody_tells_of_more() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::Worker, LONG_LEASE).await;
    let began = quiet(&engine).await;
    engine.way.raced_claims.store(3, Ordering::SeqCst);
    stage.put("one", "a");
    stage.body().await.end(1);
    let took = began.elapsed();
    // Half of 4, 8 and 16 ms at the least.
    assert!(took >= Duration::from_millis(14) && took < AT_ONCE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_waits_for_reaches_it_though_its_worker_was_too_slow() {
    let stage = Stage::new();
    let engine = one_asleep_and_one_awake(&stage).await;
    let _body = stage.body().await;
    quiet(&engine).await;
    engine.way.raced_claims.store(4, Ordering::SeqCst);
    stage.put("one", "a");
    eventually("it leaves work to others", || engine.way.raced_claims.load(Ordering::SeqCst) == 0).await;
    let began = Instant::now();
    engine.send("asleep", 4).await;
    stage.until("asleep", "has its first event", |head| head.records == 1).await;
    // The pause that has begun is 8 ms at the least, and these looks are 2 ms apart.
    assert!(began.elapsed() < Duration::from_millis(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_run_waits_for_reaches_it_when_it_comes() {
    let stage = Stage::new();
    let engine = one_asleep_and_one_awake(&stage).await;
    let body = stage.body().await;
    let began = quiet(&engine).await;
    engine.send("asleep", 4).await;
    stage.until("asleep", "has its first event", |head| head.records == 1).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let began = quiet(&engine).await;
    engine.control("awake", Action::Pause).await;
    stage.until("awake", "was looked at", |head| matches!(head.place, Place::Held { notice: false, .. })).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    body.end(1);
    stage.until_state("awake", State::Paused).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_that_comes_free_is_filled_and_until_then_nobody_asks() {
    let stage = Stage::new();
    let few = |config: &mut crate::engine::Config| config.concurrency = 1;
    let engine = stage.engine_with(Mode::Worker, LONG_LEASE, WORKFLOWS.to_vec(), few).await;
    engine.ready().await;
    for name in ["a", "b", "c"] {
        stage.put("one", name);
    }
    let mut body = stage.body().await;
    for number in 1..=2 {
        let claims = engine.way.claims.load(Ordering::SeqCst);
        // Paused time: many looks for work would fit in, were there any.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(engine.way.claims.load(Ordering::SeqCst) <= claims + 1, "there is no place for what it would get");
        let began = Instant::now();
        body.end(number);
        body = stage.body().await;
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    }
    body.end(3);
    assert_eq!(stage.output("c").await, 3);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_asked_for_as_soon_as_a_claim_was_short_of_them() {
    let stage = Stage::new();
    let name = LimitName::Workflow(WorkflowName::new("one").expect("valid"));
    let rule = LimitRule { name, tokens: 1, per: None };
    let engine =
        stage.engine_with(Mode::Worker, LONG_LEASE, WORKFLOWS.to_vec(), |config| config.limits = vec![rule]).await;
    let began = quiet(&engine).await;
    stage.put("one", "a");
    stage.put("one", "b");
    let first = stage.body().await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let began = Instant::now();
    first.end(1);
    stage.body().await.end(2);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(stage.output("b").await + stage.output("a").await, 3);
}

#[tokio::test(start_paused = true)]
async fn after_a_loss_a_worker_goes_on_from_what_the_store_has() {
    let stage = Stage::new();
    let engine = one_asleep_and_one_awake(&stage).await;
    let first = stage.body().await;
    let before = stage.store.dump();
    first.end(1);
    let second = stage.body().await;
    engine.send("asleep", 7).await;
    stage.until("asleep", "has its first event", |head| head.records == 1 && head.state() == State::Waiting).await;
    let sessions: Vec<_> = before.sessions.keys().copied().collect();
    stage.store.restore(before);
    let began = Instant::now();
    engine.way.losses.send_modify(|lost| lost.times += 1);
    second.dropped().await;
    let again = stage.body().await;
    assert_eq!(again.step, "a", "the store does not know its result any more");
    assert!(began.elapsed() < AT_ONCE, "{:?}: no lease ran out, and nobody looked", began.elapsed());
    let session = stage.store.dump().sessions.into_keys().collect::<Vec<_>>();
    assert!(session.len() == 1 && session != sessions, "another one");
    again.end(1);
    stage.body().await.end(2);
    assert_eq!(stage.output("awake").await, 3);
    // What it had in memory is ahead of the store.
    for value in [1, 2] {
        engine.send("asleep", value).await;
    }
    assert_eq!(stage.output("asleep").await, 12);
}
