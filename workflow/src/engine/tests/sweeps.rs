//! What is found although nobody told of it, and how much at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stage::{Engine, LONG_LEASE, Stage, create, eventually, id, soon};
use crate::engine::outbox::send_before;
use crate::engine::sweep::exhaust;
use crate::journal::command::{Command, Outgoing, Parent, ParentClose};
use crate::journal::head::{End, Head, Place, State};
use crate::journal::message::{Channel, NewMessage};
use crate::store::model::Instance;
use crate::words::id::{InstanceId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// More than two times what a command of a sweep, or a look at the outbox, takes.
const MANY: usize = 250;

/// A worker whose loops have ended: what the test asks of it is all that it does.
async fn still(stage: &Stage) -> Engine {
    let engine = stage.worker().await;
    engine.core.shutdown(Duration::ZERO).await;
    engine
}

/// Changes what the store has and tells nobody.
fn forge(stage: &Stage, change: impl FnOnce(&mut std::collections::BTreeMap<InstanceId, Instance>)) {
    let mut data = stage.store.dump();
    change(&mut data.instances);
    stage.store.restore(data);
}

fn forge_head(stage: &Stage, instance: &str, change: impl FnOnce(&mut Head)) {
    forge(stage, |instances| change(&mut instances.get_mut(&id(instance)).expect("it is there").head));
}

/// Ended, and not to be kept.
fn over() -> Place {
    let now = Timestamp::from_millis(1);
    Place::Done { end: End::Terminated { reason: "enough".to_owned() }, at: now, expires_at: now }
}

#[tokio::test]
async fn a_sweep_goes_on_until_it_finds_no_more() {
    let stage = Stage::new();
    let engine = still(&stage).await;
    let worker = engine.core.worker.clone().expect("it executes");
    for number in 0..MANY {
        stage.put("one", &format!("i{number}"));
    }
    forge(&stage, |instances| instances.values_mut().for_each(|instance| instance.head.place = over()));
    let batches = engine.way.batches.load(Ordering::SeqCst);
    let (found, _) = soon(exhaust(&worker, 0, |limit| Command::Expire { limit })).await.expect("it answers");
    assert_eq!(found, MANY);
    assert!(stage.store.dump().instances.is_empty());
    assert_eq!(engine.way.batches.load(Ordering::SeqCst) - batches, 3, "no more of them than it takes");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_long_enough_is_deleted_and_what_waits_for_its_worker_too_long_goes_to_another() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    stage.store.apply(&Command::OpenSession { session: SessionId(9), lease: LONG_LEASE });
    engine.create("waits", "old").await;
    engine.create("waits", "stuck").await;
    for name in ["old", "stuck"] {
        stage.until_state(name, State::Waiting).await;
    }
    forge_head(&stage, "old", |head| head.place = over());
    forge_head(&stage, "stuck", |head| {
        head.place = Place::Inbox { session: SessionId(9), since: Timestamp::from_millis(1), waits: Vec::new() };
    });
    eventually("it is deleted", || stage.head("old").is_none()).await;
    // Its other worker has it in memory, lives, and does not come for it.
    stage.until_state("stuck", State::Waiting).await;
    assert!(stage.store.dump().sessions.contains_key(&SessionId(9)));
    let mended = || engine.way.mended.load(Ordering::SeqCst);
    eventually("indexes are looked through, again and again", || mended() >= 3).await;
}

/// What an instance has queued for one that is not there any more: it is carried out, and to no effect.
fn late(number: u64, to: &str) -> (Timestamp, Outgoing) {
    let message = NewMessage {
        channel: Channel::event("number", ""),
        event_id: number.to_string().into(),
        payload: Payload::from_bytes(*b"1"),
    };
    (Timestamp::from_millis(1), Outgoing::Deliver { to: id(to), run: 1, message })
}

fn queued(stage: &Stage) -> usize {
    stage.store.dump().instances.values().map(|instance| instance.outbox.len()).sum()
}

/// How many entries each look at the outbox asked for.
fn looks(engine: &Engine) -> Vec<usize> {
    std::mem::take(&mut *engine.way.outbox_looks.lock().expect("not poisoned"))
}

#[tokio::test]
async fn all_that_is_queued_is_sent_a_page_at_a_time() {
    let stage = Stage::new();
    let engine = still(&stage).await;
    let worker = engine.core.worker.clone().expect("it executes");
    looks(&engine);
    assert!(!soon(send_before(&worker, Timestamp::MAX)).await.expect("it answers"), "there is nothing");
    assert_eq!(looks(&engine), [100]);
    stage.put("one", "source");
    forge(&stage, |instances| {
        let numbers = (1..=MANY as u64).map(|number| (number, late(number, "gone")));
        instances.values_mut().for_each(|instance| instance.outbox = numbers.clone().collect());
    });
    assert!(soon(send_before(&worker, Timestamp::MAX)).await.expect("it answers"));
    assert_eq!((queued(&stage), looks(&engine)), (0, vec![100, 100, 100]));
}

#[tokio::test]
async fn what_is_behind_a_page_that_must_wait_need_not_wait() {
    let stage = Stage::new();
    let engine = still(&stage).await;
    let worker = engine.core.worker.clone().expect("it executes");
    for name in ["blocked", "free"] {
        stage.put("one", name);
    }
    let child = Outgoing::CreateChild { id: id("child"), spec: create("one", "child").spec };
    *engine.way.damaged.lock().expect("not poisoned") = Some(id("child"));
    forge(&stage, |instances| {
        let blocked = instances.get_mut(&id("blocked")).expect("put");
        blocked.outbox.insert(1, (Timestamp::from_millis(1), child.clone()));
        blocked.outbox.extend((2..=100).map(|number| (number, late(number, "gone"))));
        let free = instances.get_mut(&id("free")).expect("put");
        free.outbox.insert(1, (Timestamp::from_millis(2), late(1, "gone").1));
    });
    looks(&engine);
    assert!(soon(send_before(&worker, Timestamp::MAX)).await.expect("it answers"));
    let left = |stage: &Stage, name| stage.store.dump().instances[&id(name)].outbox.len();
    assert_eq!((left(&stage, "blocked"), left(&stage, "free")), (100, 0), "the commands of one keep their order");
    assert_eq!(looks(&engine), [100, 1_000]);
    *engine.way.damaged.lock().expect("not poisoned") = None;
    assert!(soon(send_before(&worker, Timestamp::MAX)).await.expect("it answers"));
    assert_eq!(queued(&stage), 0);
    assert!(stage.head("child").is_some());
}

#[tokio::test]
async fn only_the_child_of_who_closes_it_is_closed_and_only_if_it_may_be() {
    let stage = Stage::new();
    let engine = still(&stage).await;
    let worker = engine.core.worker.clone().expect("it executes");
    let parents = [
        ("mine", Some(("p", ParentClose::Terminate))),
        ("abandoned", Some(("p", ParentClose::Abandon))),
        ("anothers", Some(("q", ParentClose::Terminate))),
        ("nobodys", None),
    ];
    stage.put("one", "p");
    for (name, parent) in parents {
        stage.put("one", name);
        forge_head(&stage, name, |head| {
            let parent = parent.map(|(parent, on_close)| Parent { id: id(parent), run: 1, on_close });
            Arc::make_mut(&mut head.spec).parent = parent;
        });
    }
    forge(&stage, |instances| {
        let close = |name| Outgoing::Close { child: id(name), reason: "it closed".to_owned() };
        let entries =
            parents.iter().zip(1..).map(|((name, _), number)| (number, (Timestamp::from_millis(1), close(name))));
        instances.get_mut(&id("p")).expect("put").outbox = entries.collect();
    });
    assert!(soon(send_before(&worker, Timestamp::MAX)).await.expect("it answers"));
    assert_eq!(stage.store.dump().instances[&id("p")].outbox.len(), 0);
    let states = parents.map(|(name, _)| stage.head(name).expect("kept").state());
    assert_eq!(states, [State::Terminated, State::Queued, State::Queued, State::Queued]);
}
