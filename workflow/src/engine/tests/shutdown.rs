//! Stopping in good order, and starting not at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stage::{LONG_LEASE, ONE, Stage, eventually};
use crate::definition::Resources;
use crate::engine::worker::{Looping, Worker, until_closed};
use crate::engine::{Config, Core, Host, Mode, StartError, VerifyReplay};
use crate::journal::head::{Place, State, Suspect};
use crate::store::StoreError;
use crate::words::id::Namespace;

#[tokio::test]
async fn bodies_end_within_the_grace_and_the_rest_goes_to_others_at_once() {
    let stage = Stage::new();
    let first = stage.worker().await;
    first.create("two", "a").await;
    let body = stage.body().await;
    let meanwhile = async {
        let stopped = || first.core.health().loops.iter().any(|found| found.name == "claims 0" && !found.running);
        eventually("it claims nothing more", stopped).await;
        stage.put("one", "b");
        body.end(1);
    };
    let (report, ()) = tokio::join!(first.core.shutdown(Duration::from_secs(10)), meanwhile);
    assert_eq!((report.driving, report.interrupted, report.handed_over), (1, 0, true));
    stage.no_body().await;
    let head = stage.head("a").expect("kept");
    assert!(matches!(head.place, Place::Ready { .. }), "{head:?}");
    assert_eq!((head.records, head.suspect), (1, Suspect::No), "the result is kept, and it is no suspect");
    // No lease has to run out for the next worker.
    let _second = stage.engine(Mode::Worker, LONG_LEASE).await;
    for _ in 0..2 {
        let body = stage.body().await;
        assert!(["a", "b"].contains(&body.instance.as_str()));
        body.end(2);
    }
    assert_eq!(stage.output("a").await, 3);
    assert_eq!(stage.output("b").await, 2);
}

#[tokio::test]
async fn while_a_worker_stops_its_bodies_go_on_and_none_begins() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    for (workflow, name) in [("branches", "several"), ("one", "last")] {
        engine.create(workflow, name).await;
    }
    let mut bodies = [stage.body().await, stage.body().await, stage.body().await];
    bodies.sort_by(|one, other| (&one.instance, one.step).cmp(&(&other.instance, other.step)));
    let [last, first, second] = bodies;
    let meanwhile = async {
        let stopped = || engine.core.health().loops.iter().any(|found| found.name == "claims 0" && !found.running);
        eventually("it claims nothing more", stopped).await;
        second.end(2);
        stage.until("several", "has one of its results", |head| head.records == 1).await;
        last.end(7);
        assert_eq!(stage.output("last").await, 7, "what was the last of a run ends it");
        stage.no_body().await;
        assert!(!first.is_dropped(), "the grace is not over");
        first.end(1);
        stage.until("several", "has both results", |head| head.records == 2).await;
    };
    let (report, ()) = tokio::join!(engine.core.shutdown(Duration::from_secs(10)), meanwhile);
    assert_eq!((report.driving, report.interrupted, report.handed_over), (2, 0, true));
    stage.no_body().await;
    let _next = stage.engine(Mode::Worker, LONG_LEASE).await;
    let rest = stage.body().await;
    assert_eq!(rest.step, "c");
    rest.end(3);
    assert_eq!(stage.output("several").await, 6);
}

#[tokio::test]
async fn what_a_loop_still_asked_for_when_all_was_over_is_no_failure() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    let worker = engine.core.worker.clone().expect("it executes");
    let fails = |_: Arc<Worker>| -> Looping {
        let error = StoreError::Unavailable { store: "gone:".to_owned(), message: "it has shut down".to_owned() };
        Box::pin(std::future::ready(Err(error)))
    };
    assert!(until_closed(fails, worker.clone()).await.is_err(), "before, it is one");
    engine.core.shutdown(Duration::ZERO).await;
    assert!(until_closed(fails, worker).await.is_ok());
}

#[tokio::test]
async fn a_body_that_outlasts_the_grace_is_dropped_and_runs_again_elsewhere() {
    let stage = Stage::new();
    let first = stage.worker().await;
    first.create("one", "a").await;
    first.create("waits", "asleep").await;
    stage.until_state("asleep", State::Waiting).await;
    let body = stage.body().await;
    let report = first.core.shutdown(Duration::from_millis(10)).await;
    assert_eq!((report.interrupted, report.handed_over), (1, true));
    body.dropped().await;
    assert!(stage.store.dump().sessions.is_empty(), "the session is closed");
    assert_eq!(stage.head("a").expect("kept").suspect, Suspect::No);
    let second = stage.engine(Mode::Worker, LONG_LEASE).await;
    stage.body().await.end(4);
    assert_eq!(stage.output("a").await, 4);
    second.send("asleep", 1).await;
    second.send("asleep", 1).await;
    assert_eq!(stage.output("asleep").await, 11);
}

#[tokio::test]
async fn a_second_shutdown_and_a_create_after_it_do_no_harm() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.core.shutdown(Duration::ZERO).await;
    let report = engine.core.shutdown(Duration::ZERO).await;
    assert_eq!((report.driving, report.interrupted), (0, 0));
    engine.create("one", "a").await;
    assert_eq!(stage.head("a").expect("created").state(), State::Queued);
}

#[tokio::test(start_paused = true)]
async fn what_a_store_that_does_not_answer_was_not_told_is_not_handed_over() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("one", "a").await;
    let body = stage.body().await;
    engine.way.isolate();
    let report = engine.core.shutdown(Duration::ZERO).await;
    assert_eq!((report.driving, report.interrupted, report.handed_over), (1, 1, false));
    body.dropped().await;
    assert!(!stage.store.dump().sessions.is_empty(), "its lease must run out first");
}

#[tokio::test]
async fn a_claim_that_fails_after_the_end_is_no_failure() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.way.cut.send_replace(true);
    let before = engine.way.claims.load(Ordering::SeqCst);
    stage.put("one", "a");
    eventually("a claim is under way", || engine.way.claims.load(Ordering::SeqCst) > before).await;
    let loops = || engine.core.health().loops;
    let meanwhile = async {
        let closed = || loops().iter().any(|found| found.name == "session" && !found.running);
        eventually("it is closed", closed).await;
        engine.way.failing_claims.store(1, Ordering::SeqCst);
        engine.way.reconnect();
        eventually("the claim fails", || engine.way.failing_claims.load(Ordering::SeqCst) == 0).await;
        eventually("it claims no more", || loops().iter().all(|found| found.name != "claims 0" || !found.running))
            .await;
    };
    tokio::join!(engine.core.shutdown(Duration::ZERO), meanwhile);
    let claims = loops().into_iter().find(|found| found.name == "claims 0").expect("it has claimed");
    assert_eq!((claims.restarts, claims.last_error), (0, None));
}

fn config(stage: &Stage, resources: Resources) -> Config {
    Config {
        store: std::sync::Arc::new(stage.store.clone()),
        mode: Mode::All,
        namespace: Namespace::new("test").expect("valid"),
        concurrency: 1,
        queues: Vec::new(),
        weights: Vec::new(),
        limits: Vec::new(),
        lease: LONG_LEASE,
        resources,
        workflows: vec![&ONE],
        sticky: 0,
        verify_replay: VerifyReplay::default(),
        holds_results: true,
        host: Host::here(),
    }
}

#[tokio::test]
async fn a_missing_resource_is_told_before_anything_runs() {
    let stage = Stage::new();
    let error = Core::start(config(&stage, Resources::default())).await.expect_err("no resource");
    assert!(matches!(&error, StartError::MissingResource { workflow, .. } if workflow == "one"), "{error}");
    assert!(error.to_string().contains("Bodies"), "{error}");
    assert!(stage.store.dump().sessions.is_empty());
    let client = Config { mode: Mode::Client, ..config(&stage, Resources::default()) };
    Core::start(client).await.expect("a client never executes");
}

#[tokio::test]
async fn two_workflows_of_one_name_are_told_with_both_places() {
    static OTHER: std::sync::LazyLock<&'static crate::definition::Registration> = std::sync::LazyLock::new(|| {
        Box::leak(Box::new(crate::definition::Registration {
            name: "one",
            version: 1,
            queue: "default",
            graph: "",
            at: crate::words::location::Location::new("other.rs", 9, 9),
            resources: Vec::new,
            start: ONE.start,
        }))
    });
    let stage = Stage::new();
    let two = Config { workflows: vec![*OTHER, *OTHER, &ONE], ..config(&stage, Resources::default()) };
    let error = Core::start(two).await.expect_err("one name").to_string();
    assert!(error.contains("stage.rs:1:1") && error.contains("other.rs:9:9"), "{error}");
}
