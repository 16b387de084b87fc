//! Workers that are lost: their bodies, their writes, their suspects; and a store that forgot.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::stage::{Body, LONG_LEASE, SHORT_LEASE, Stage, control, eventually, send};
use crate::engine::Mode;
use crate::journal::command::{Action, ControlReply, PauseReason, Reply, SendReply};
use crate::journal::head::{Place, State, Suspect};
use crate::words::id::SessionId;

#[tokio::test]
async fn a_session_that_is_lost_stops_its_bodies_and_is_replaced() {
    let stage = Stage::new();
    let lost = stage.engine(Mode::All, SHORT_LEASE).await;
    lost.ready().await;
    lost.create("one", "a").await;
    let first = stage.body().await;
    // Its heart stops; its commands still arrive.
    lost.way.heart_stopped.store(true, Ordering::SeqCst);
    first.dropped().await;
    lost.way.heart_stopped.store(false, Ordering::SeqCst);
    eventually("a new session", || lost.lost_sessions() >= 1 && lost.session_age().is_some()).await;
    let second = stage.body().await;
    assert_eq!(second.instance, "a");
    second.end(2);
    assert_eq!(stage.output("a").await, 2);
}

#[tokio::test]
async fn a_fenced_heart_stops_bodies_when_nothing_else_gets_through() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("one", "a").await;
    let body = stage.body().await;
    engine.way.cut.send_replace(true);
    let mut data = stage.store.dump();
    data.sessions.values_mut().for_each(|session| session.revoked = true);
    stage.store.restore(data);
    body.dropped().await;
    eventually("it knows", || engine.lost_sessions() == 1 && engine.driving() == 0).await;
    engine.way.cut.send_replace(false);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 2);
}

#[tokio::test]
async fn a_zombie_writes_nothing() {
    let stage = Stage::new();
    let zombie = stage.engine(Mode::All, SHORT_LEASE).await;
    zombie.ready().await;
    zombie.create("one", "a").await;
    let body = stage.body().await;
    zombie.way.isolate();
    let other = stage.engine(Mode::Worker, SHORT_LEASE).await;
    let taken_over = stage.body().await;
    // The zombie's body ends first, and its result is on its way for as long as it cannot reach the store.
    body.end(666);
    taken_over.end(7);
    assert_eq!(stage.output("a").await, 7);
    zombie.way.reconnect();
    eventually("it noticed", || zombie.lost_sessions() == 1 && zombie.driving() == 0).await;
    assert_eq!(stage.output("a").await, 7);
    assert_eq!(stage.head("a").expect("kept").records, 1);
    drop(other);
}

#[tokio::test]
async fn a_zombie_that_does_not_know_begins_nothing() {
    let stage = Stage::new();
    let zombie = stage.engine(Mode::All, SHORT_LEASE).await;
    zombie.ready().await;
    zombie.create("two", "a").await;
    let first = stage.body().await;
    // Its write is carried out, and then it is frozen for longer than its lease: it hears the answer much later.
    zombie.way.unanswered.send_replace(true);
    first.end(1);
    stage.until("a", "the first result is recorded", |head| head.records == 1).await;
    zombie.way.isolate();
    let other = stage.engine(Mode::Worker, SHORT_LEASE).await;
    let second = stage.body().await;
    zombie.way.unanswered.send_replace(false);
    // What it asks arrives only now.
    zombie.way.reconnect();
    eventually("it noticed", || zombie.lost_sessions() == 1 && zombie.driving() == 0).await;
    stage.no_body().await;
    second.end(2);
    stage.output("a").await;
    drop(other);
}

#[tokio::test]
async fn a_crash_is_noticed_within_a_lease_and_a_sweep() {
    let stage = Stage::new();
    let crashing = stage.engine(Mode::All, SHORT_LEASE).await;
    let sweeping = stage.engine(Mode::Worker, SHORT_LEASE).await;
    crashing.ready().await;
    sweeping.ready().await;
    crashing.create("one", "a").await;
    drop(stage.body().await);
    crashing.crash();
    let crashed = tokio::time::Instant::now();
    let again = stage.body().await;
    let taken = crashed.elapsed();
    assert!(taken >= SHORT_LEASE / 2, "{taken:?}: a live worker may not be robbed");
    assert!(taken < SHORT_LEASE * 4, "{taken:?}");
    again.end(1);
    assert_eq!(stage.output("a").await, 1);
}

#[tokio::test]
async fn three_crashes_of_the_one_that_was_tried_quarantine_it_and_no_other() {
    let stage = Stage::new();
    stage.put("one", "pill");
    stage.put("one", "innocent");
    let mut engine = stage.engine(Mode::Worker, SHORT_LEASE).await;
    // Both run when the first crash comes: from then on both are suspects.
    let bodies = [stage.body().await, stage.body().await];
    drop(bodies);
    let mut crashes = 0;
    while stage.head("pill").expect("kept").state() != State::Paused {
        engine.crash();
        crashes += 1;
        assert!(crashes <= 6, "it is tried again and again");
        engine = stage.engine(Mode::Worker, SHORT_LEASE).await;
        if let Some(pill) = next_of_pill(&stage).await {
            let head = stage.head("pill").expect("kept");
            assert!(matches!(head.suspect, Suspect::Marked { .. }), "marked before it runs: {head:?}");
            drop(pill);
        }
    }
    assert_eq!(crashes, 4, "once among others, and three times alone");
    let head = stage.head("pill").expect("kept");
    assert!(matches!(head.place, Place::Paused { reason: PauseReason::Quarantined { crashes: 3 }, .. }), "{head:?}");
    assert_eq!(stage.output("innocent").await, 1);
}

/// Lets the innocent one through; the pill's body, or none once it is quarantined.
async fn next_of_pill(stage: &Stage) -> Option<Body> {
    loop {
        let quarantined = async {
            stage.until_state("pill", State::Paused).await;
        };
        let body = tokio::select! {
            body = stage.body() => body,
            () = quarantined => return None,
        };
        if body.instance == "pill" {
            return Some(body);
        }
        body.end(1);
    }
}

#[tokio::test]
async fn suspects_are_tried_one_at_a_time_and_a_record_ends_a_trial() {
    let stage = Stage::new();
    let crashing = stage.engine(Mode::All, SHORT_LEASE).await;
    crashing.ready().await;
    crashing.create("two", "a").await;
    crashing.create("two", "b").await;
    drop([stage.body().await, stage.body().await]);
    crashing.crash();
    let recovering = stage.engine(Mode::Worker, LONG_LEASE).await;
    // A lease of its own that is long: only a record can end the trial. Another engine sweeps.
    let sweeping = stage.engine_of(Mode::Worker, SHORT_LEASE, Vec::new()).await;
    let first = stage.body().await;
    eventually("both are held", || recovering.driving() == 2).await;
    stage.no_body().await;
    let tried = first.instance.clone();
    first.end(1);
    let mut rest = [stage.body().await, stage.body().await];
    rest.sort_by_key(|body| body.instance != tried);
    let [same, other] = rest;
    assert_eq!((same.step, other.step), ("b", "a"));
    assert_ne!(other.instance, tried);
    same.end(1);
    other.end(1);
    stage.body().await.end(1);
    assert_eq!(stage.output("a").await + stage.output("b").await, 4);
    drop(sweeping);
}

#[tokio::test]
async fn a_trial_goes_on_when_its_suspect_hears_of_something() {
    let stage = Stage::new();
    let crashing = stage.engine(Mode::All, SHORT_LEASE).await;
    crashing.ready().await;
    crashing.create("pair", "a").await;
    crashing.create("pair", "b").await;
    drop([stage.body().await, stage.body().await]);
    crashing.crash();
    let recovering = stage.engine(Mode::All, LONG_LEASE).await;
    let sweeping = stage.engine_of(Mode::Worker, SHORT_LEASE, Vec::new()).await;
    let tried = stage.body().await;
    eventually("both are held", || recovering.driving() == 2).await;
    // It looks, and has nothing to record.
    recovering.control(&tried.instance, Action::Pause).await;
    stage.until(&tried.instance, "was looked at", |head| matches!(head.place, Place::Held { notice: false, .. })).await;
    let head = stage.head(&tried.instance).expect("kept");
    assert!(matches!(head.suspect, Suspect::Marked { .. }), "{head:?}");
    // What is no suspect runs meanwhile; the other one would be marked before anything of it runs.
    recovering.create("one", "c").await;
    stage.body().await.end(3);
    assert_eq!(stage.output("c").await, 3);
    let other = if tried.instance == "a" { "b" } else { "a" };
    let head = stage.head(other).expect("kept");
    assert!(matches!(head.suspect, Suspect::Yes { .. }), "{head:?}");
    stage.no_body().await;
    drop((tried, sweeping));
}

#[tokio::test]
async fn a_suspect_that_survives_a_lease_is_none_any_more() {
    let stage = Stage::new();
    let crashing = stage.engine(Mode::All, SHORT_LEASE).await;
    crashing.ready().await;
    crashing.create("one", "a").await;
    drop(stage.body().await);
    crashing.crash();
    let before = tokio::time::Instant::now();
    let _engine = stage.engine(Mode::Worker, SHORT_LEASE).await;
    let body = stage.body().await;
    assert!(matches!(stage.head("a").expect("kept").suspect, Suspect::Marked { .. }));
    stage.until("a", "is cleared", |head| head.suspect == Suspect::No).await;
    assert!(before.elapsed() >= SHORT_LEASE, "what crashes its worker later in a lease is still a suspect");
    assert!(!body.is_dropped());
    body.end(1);
    assert_eq!(stage.output("a").await, 1);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the body blocks its thread on purpose")]
async fn a_thread_that_is_blocked_does_not_stop_the_heart() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    let session = *stage.store.dump().sessions.keys().next().expect("a session");
    // Another engine, on a runtime and thread of its own, sweeps meanwhile.
    let store = stage.store.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let sweeper = std::thread::Builder::new().spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let stage = Stage::on(store);
            let _engine = stage.engine_of(Mode::Worker, SHORT_LEASE, Vec::new()).await;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    });
    // The engine's only thread.
    std::thread::sleep(SHORT_LEASE * 4);
    let sessions = stage.store.dump().sessions;
    assert!(!sessions[&session].revoked, "its heart went on");
    assert!(sessions[&session].beats >= 4, "{:?}", sessions[&session]);
    drop(stop);
    sweeper.expect("a thread").join().expect("it ends");
    engine.create("one", "a").await;
    stage.body().await.end(1);
    assert_eq!(stage.output("a").await, 1);
    assert_eq!(engine.lost_sessions(), 0);
}

#[tokio::test]
async fn a_store_that_lost_writes_is_reported_and_goes_on_from_what_it_has() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("two", "a").await;
    let before = stage.store.dump();
    stage.body().await.end(1);
    let second = stage.body().await;
    assert_eq!(second.step, "b");
    stage.store.restore(before);
    second.end(2);
    let again = stage.body().await;
    assert_eq!(again.step, "a", "the store does not know its result any more");
    again.end(1);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
    assert_eq!(engine.core.health().worker.expect("a worker").data_losses, 1);
}

#[tokio::test]
async fn a_look_finds_out_that_the_store_lost_writes_while_a_body_runs() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("two", "a").await;
    let first = stage.body().await;
    let before = stage.store.dump();
    first.end(1);
    let second = stage.body().await;
    stage.store.restore(before);
    // It does not end by itself, so nothing is written.
    second.dropped().await;
    let again = stage.body().await;
    assert_eq!(again.step, "a");
    again.end(1);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
    assert_eq!(engine.core.health().worker.expect("a worker").data_losses, 1);
}

#[tokio::test]
async fn a_look_finds_out_that_another_has_the_instance_while_a_body_runs() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("one", "a").await;
    let body = stage.body().await;
    // Nobody told this worker.
    let mut data = stage.store.dump();
    let head = &mut data.instances.values_mut().next().expect("one").head;
    let Place::Held { session, .. } = &mut head.place else { panic!("{head:?}") };
    *session = SessionId(9);
    stage.store.restore(data);
    body.dropped().await;
    eventually("it is let go", || engine.driving() == 0).await;
    assert_eq!(engine.lost_sessions(), 0);
}

#[tokio::test]
async fn a_look_finds_the_event_and_the_resume_that_nobody_told_of() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("pair", "waits").await;
    let waits = stage.body().await;
    assert_eq!(stage.unheard(&send("waits", 20)), Reply::Send(SendReply::Accepted));
    stage.until("waits", "has its event while its body runs", |head| head.records == 1).await;
    waits.end(1);
    assert_eq!(stage.output("waits").await, 21);
    engine.create("branches", "paused").await;
    let mut bodies = [stage.body().await, stage.body().await];
    bodies.sort_by_key(|body| body.step);
    let [first, second] = bodies;
    engine.control("paused", Action::Pause).await;
    stage.until("paused", "was looked at", |head| matches!(head.place, Place::Held { notice: false, .. })).await;
    second.end(2);
    stage.until("paused", "has a result", |head| head.records == 1).await;
    stage.no_body().await;
    assert_eq!(stage.unheard(&control("paused", Action::Resume)), Reply::Control(ControlReply::Done(State::Running)));
    let next = stage.body().await;
    assert_eq!(next.step, "c");
    next.end(3);
    first.end(1);
    assert_eq!(stage.output("paused").await, 6);
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_writes_nothing() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("pair", "a").await;
    let body = stage.body().await;
    engine.send("a", 20).await;
    let before = stage.until("a", "has its event", |head| head.records == 1).await;
    let looks = engine.way.heads_read.load(Ordering::SeqCst);
    eventually("it looked", || engine.way.heads_read.load(Ordering::SeqCst) >= looks + 3).await;
    assert_eq!(stage.head("a").expect("kept").v, before.v);
    body.end(1);
    assert_eq!(stage.output("a").await, 21);
}

#[tokio::test]
async fn a_journal_that_has_not_as_many_records_as_its_head_counts_is_parked() {
    let stage = Stage::new();
    let first = stage.worker().await;
    first.create("two", "a").await;
    stage.body().await.end(1);
    let _second = stage.body().await;
    first.core.shutdown(Duration::ZERO).await;
    let mut data = stage.store.dump();
    let instance = data.instances.values_mut().next().expect("one");
    assert_eq!(instance.head.records, 1);
    let whole = instance.journals.clone();
    instance.journals.values_mut().for_each(Vec::clear);
    stage.store.restore(data);
    let second = stage.worker().await;
    let head = stage.until_state("a", State::Paused).await;
    let Place::Paused { reason: PauseReason::Unreadable { message }, .. } = head.place else { panic!("{head:?}") };
    assert!(message.contains("0 records") && message.contains('1'), "{message}");
    stage.no_body().await;
    let mut data = stage.store.dump();
    data.instances.values_mut().for_each(|instance| instance.journals.clone_from(&whole));
    stage.store.restore(data);
    second.control("a", Action::Resume).await;
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
}

#[tokio::test]
async fn what_a_store_that_lost_writes_has_with_this_worker_goes_on_though_nobody_drives_it_any_more() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    engine.create("one", "a").await;
    let body = stage.body().await;
    let before = stage.store.dump();
    body.end(1);
    assert_eq!(stage.output("a").await, 1);
    eventually("nobody drives it", || engine.driving() == 0).await;
    // Its session goes on, so that no other worker would take it.
    stage.store.restore(before);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 2);
    assert_eq!(engine.lost_sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_driven_is_not_given_back_however_long_it_takes() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.create("one", "a").await;
    let body = stage.body().await;
    let held = stage.head("a").expect("held");
    // The worker has looked for what it holds and does not drive a dozen times.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!body.is_dropped());
    assert_eq!(stage.head("a"), Some(held));
    body.end(1);
    assert_eq!(stage.output("a").await, 1);
}

#[tokio::test]
async fn a_session_the_store_does_not_know_is_replaced() {
    let stage = Stage::new();
    let engine = stage.engine(Mode::All, SHORT_LEASE).await;
    engine.ready().await;
    let known: Vec<SessionId> = stage.store.dump().sessions.into_keys().collect();
    stage.store.restore(crate::store::model::Data::default());
    eventually("a new session", || {
        let sessions = stage.store.dump().sessions;
        sessions.len() == 1 && !known.contains(sessions.keys().next().expect("one"))
    })
    .await;
    eventually("it is used", || engine.session_age().is_some()).await;
    engine.create("one", "a").await;
    stage.body().await.end(1);
    assert_eq!(stage.output("a").await, 1);
}
