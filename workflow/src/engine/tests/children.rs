//! Commands between instances: children created, their ends delivered, children closed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stage::{Engine, LONG_LEASE, SHORT_LEASE, Stage, create, eventually, id, soon};
use crate::engine::Mode;
use crate::journal::command::{Action, Create};
use crate::journal::head::State;
use crate::words::id::InstanceId;

/// The id of the one instance that is not `parent`.
fn child_of(stage: &Stage, parent: &str) -> Option<InstanceId> {
    stage.store.dump().instances.into_keys().find(|found| found.as_str() != parent)
}

#[tokio::test]
async fn a_parent_waits_without_a_slot_and_gets_its_childs_end_at_once() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("parent", "p").await;
    let began = tokio::time::Instant::now();
    let body = stage.body().await;
    assert_eq!(Some(body.instance.clone()), child_of(&stage, "p").map(|id| id.to_string()));
    stage.until_state("p", State::Waiting).await;
    eventually("only the child holds a slot", || engine.driving() == 1).await;
    body.end(9);
    assert_eq!(stage.output("p").await, 9);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}: not by the sweep", began.elapsed());
    eventually("everything is acknowledged", || stage.store.dump().instances.values().all(|i| i.outbox.is_empty()))
        .await;
}

#[tokio::test]
async fn what_a_crashed_worker_had_queued_is_sent_by_another() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    // It commits the start of the child, and is gone before it can create it.
    let sends = engine.way.hold_creates();
    sends.store(true, std::sync::atomic::Ordering::SeqCst);
    stage.put("parent", "p");
    stage.until("p", "has queued its child", |head| head.outgoing == 1).await;
    engine.crash();
    assert_eq!(child_of(&stage, "p"), None);
    let _other = stage.engine(Mode::Worker, SHORT_LEASE).await;
    stage.body().await.end(3);
    assert_eq!(stage.output("p").await, 3);
    assert_eq!(stage.store.dump().instances.len(), 2, "one child");
}

#[tokio::test]
async fn a_child_is_closed_when_its_parent_is_terminated() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("parent", "p").await;
    let body = stage.body().await;
    stage.until_state("p", State::Waiting).await;
    engine.control("p", Action::Terminate { reason: "enough".to_owned() }).await;
    soon(body.dropped()).await;
    let child = child_of(&stage, "p").expect("created");
    stage.until_state(child.as_str(), State::Terminated).await;
}

/// The id that the child of this parent will have.
async fn child_to_come(create: Create) -> InstanceId {
    let learning = Stage::new();
    let engine = learning.engine(Mode::All, LONG_LEASE).await;
    engine.ready().await;
    soon(engine.core.create(create)).await.expect("created");
    let _body = learning.body().await;
    child_of(&learning, "p").expect("created")
}

/// The parent is closed before its child is created, or it can hear that it was not: to create that meets damage.
async fn closed_too_soon(stage: &Stage, engine: &Engine, create: Create, child: &InstanceId) {
    *engine.way.damaged.lock().expect("not poisoned") = Some(child.clone());
    soon(engine.core.create(create)).await.expect("created");
    stage.until("p", "has queued its child", |head| head.outgoing == 1).await;
    engine.control("p", Action::Terminate { reason: "enough".to_owned() }).await;
}

#[tokio::test]
async fn a_child_that_could_not_be_created_before_its_parent_closed_is_closed_all_the_same() {
    let create = create("parent", "p");
    let child = child_to_come(create.clone()).await;
    let stage = Stage::new();
    let engine = stage.worker().await;
    closed_too_soon(&stage, &engine, create, &child).await;
    let queued = || stage.store.dump().instances[&id("p")].outbox.len();
    eventually("both are queued", || queued() == 2).await;
    let met = engine.way.damage_met.load(Ordering::SeqCst);
    eventually("they were sent again", || engine.way.damage_met.load(Ordering::SeqCst) >= met + 2).await;
    // Sent before the child is there, its end would find nobody.
    assert_eq!(queued(), 2);
    *engine.way.damaged.lock().expect("not poisoned") = None;
    stage.until_state(child.as_str(), State::Terminated).await;
}

#[tokio::test]
async fn a_parent_that_closes_closes_nobody_who_has_the_id_of_its_child() {
    let create = create("parent", "p");
    let child = child_to_come(create.clone()).await;
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("waits", child.as_str()).await;
    stage.until_state(child.as_str(), State::Waiting).await;
    closed_too_soon(&stage, &engine, create, &child).await;
    *engine.way.damaged.lock().expect("not poisoned") = None;
    let left = || stage.store.dump().instances[&id("p")].outbox.len();
    eventually("everything is acknowledged", || left() == 0).await;
    assert_eq!(stage.head("p").expect("kept").outgoing, 2, "a child to create, and to close");
    assert_eq!(stage.head(child.as_str()).expect("kept").state(), State::Waiting);
}

#[tokio::test]
async fn a_parent_whose_childs_id_is_taken_is_told_and_leaves_the_other_alone() {
    let create = create("parent", "p");
    let child = child_to_come(create.clone()).await;
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("waits", child.as_str()).await;
    stage.until_state(child.as_str(), State::Waiting).await;
    // With the seed it had there, its child has the same id here.
    soon(engine.core.create(create)).await.expect("created");
    let failure = stage.failure("p").await;
    assert!(failure.message.contains(child.as_str()), "{failure:?}");
    eventually("everything is acknowledged", || stage.store.dump().instances.values().all(|i| i.outbox.is_empty()))
        .await;
    assert_eq!(stage.head(child.as_str()).expect("kept").state(), State::Waiting);
}

#[tokio::test]
async fn a_replayed_run_has_seen_the_ends_its_records_do_not_number() {
    let stage = Stage::new();
    let first = stage.worker().await;
    first.create("family", "p").await;
    stage.body().await.end(1);
    stage.until("p", "waits for its event", |head| head.arrivals == 1 && head.state() == State::Waiting).await;
    first.core.shutdown(Duration::ZERO).await;
    // Woken with no message: what it consumed before it was loaded must not count as unseen.
    let second = stage.engine(Mode::All, LONG_LEASE).await;
    second.control("p", Action::Pause).await;
    second.control("p", Action::Resume).await;
    eventually("it was loaded", || second.journals_read() == 1).await;
    stage.until_state("p", State::Waiting).await;
    second.send("p", 20).await;
    assert_eq!(stage.output("p").await, 21);
}
