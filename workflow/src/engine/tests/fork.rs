//! Runs that are restarted from an operation, as a worker takes them up.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{Engine, LONG_LEASE, NAPS, Stage, id};
use crate::engine::Mode;
use crate::journal::command::{
    Action, Claim, ClaimReply, Command, Control, ControlReply, OwnReply, Owner, OwnerWrite, Reply, Then, Write,
};
use crate::journal::head::{Place, State};
use crate::journal::record::{Entry, Record};
use crate::store::model::ModelStore;
use crate::words::id::{QueueName, RequestId, SessionId, WorkflowName};
use crate::words::time::{Clock, ManualClock};

const HOUR: Duration = Duration::from_secs(3_600);

impl Stage {
    fn records(&self, instance: &str, run: u32) -> Vec<Record> {
        let instance = &self.store.dump().instances[&id(instance)];
        let records = instance.journals.get(&run).into_iter().flatten();
        records.map(|bytes| Record::decode(bytes.as_bytes()).expect("as it was written")).collect()
    }

    fn controlled(&self, instance: &str, action: Action) -> State {
        let control = Control { request: RequestId::generate(), id: id(instance), run: None, action };
        match self.store.apply(&Command::Control(control)) {
            Reply::Control(ControlReply::Done(state)) => state,
            other => panic!("{other:?}"),
        }
    }

    /// A worker takes it, and hands it back before it has begun to look at it.
    fn taken_and_handed_back(&self, between: impl FnOnce()) {
        let session = SessionId::generate();
        self.store.apply(&Command::OpenSession { session, lease: LONG_LEASE });
        let claim = Claim {
            session,
            number: 1,
            limit: 1,
            queues: vec![QueueName::new("default").expect("valid")].into(),
            known: vec![(WorkflowName::new("naps").expect("valid"), 1)].into(),
            quotas: Vec::new(),
            limits: Vec::new(),
        };
        let Reply::Claim(ClaimReply::Given { instances, .. }) = self.store.apply(&Command::Claim(claim)) else {
            panic!("it lives")
        };
        between();
        let owner = Owner { id: instances[0].id.clone(), session, run: instances[0].run, v: instances[0].v };
        let write = Write {
            records: Vec::new(),
            consumed: Vec::new(),
            seen: 0,
            outgoing: Vec::new(),
            shifted_ms: 0,
            then: Then::Release,
        };
        let release = Command::Own(OwnerWrite { request: RequestId::generate(), owner, write });
        assert!(matches!(self.store.apply(&release), Reply::Own(OwnReply::Ok(_))));
        self.store.apply(&Command::CloseSession { session });
    }
}

#[tokio::test]
async fn a_pause_before_a_fork_is_taken_over_moves_its_timers_once() {
    let clock = Arc::new(ManualClock::starting_at(crate::words::time::Timestamp::from_millis(1_000_000)));
    let stage = Stage::on(ModelStore::new(clock.clone()));
    let engine = stage.engine_of(Mode::All, LONG_LEASE, vec![&NAPS]).await;
    engine.create("naps", "i").await;
    stage.body().await.end(1);
    let waits = |head: &crate::journal::head::Head| matches!(head.place, Place::Asleep { .. }) && head.records > 1;
    stage.until("i", "sleeps beside its step", waits).await;
    assert!(engine.core.shutdown(Duration::from_secs(20)).await.handed_over);

    let step = stage.records("i", 1).into_iter().find(|record| matches!(record.entry, Entry::Done(_)));
    let path = step.expect("the step has ended").path;
    clock.advance(HOUR);
    stage.controlled("i", Action::RestartFrom { path, source: 1 });
    stage.taken_and_handed_back(|| {
        stage.controlled("i", Action::Pause);
    });
    clock.advance(HOUR);
    assert_eq!(stage.controlled("i", Action::Resume), State::Queued);

    let _engine = stage.engine_of(Mode::All, LONG_LEASE, vec![&NAPS]).await;
    stage.body().await.end(2);
    let head = stage.until("i", "sleeps again", waits).await;
    let shifts: Vec<i64> = stage.records("i", 2).iter().filter_map(shift).collect();
    assert_eq!((head.run, head.shift_ms, shifts), (2, 0, vec![2 * 3_600_000]));
    let Place::Asleep { waits, .. } = head.place else { panic!("it sleeps") };
    // As long as it had when the step was asked for.
    let due = waits.iter().find_map(|wait| wait.due).expect("it has a timer");
    assert!((0..1_000).contains(&due.since(clock.now().after(HOUR * 24))), "{due:?}");
}

/// A step that has ended beside a wait, restarted from that step, and a worker that has taken it and reads the source.
async fn being_taken_over(stage: &Stage) -> Engine {
    let engine = stage.worker().await;
    engine.create("pair", "i").await;
    stage.body().await.end(1);
    stage.until("i", "waits", |head| head.records == 1 && matches!(head.place, Place::Asleep { .. })).await;
    engine.way.journals_held.send_replace(true);
    let path = stage.records("i", 1).remove(0).path;
    stage.controlled("i", Action::RestartFrom { path, source: 1 });
    stage.until("i", "is taken", |head| head.run == 2 && matches!(head.place, Place::Held { .. })).await;
    engine
}

#[tokio::test]
async fn what_comes_while_a_fork_is_taken_over_is_not_lost() {
    let stage = Stage::new();
    let engine = being_taken_over(&stage).await;
    engine.send("i", 5).await;
    engine.way.journals_held.send_replace(false);
    stage.body().await.end(2);
    assert_eq!(stage.output("i").await, 7);
}

#[tokio::test]
async fn a_pause_while_a_fork_is_taken_over_comes_before_its_first_body() {
    let stage = Stage::new();
    let engine = being_taken_over(&stage).await;
    stage.controlled("i", Action::Pause);
    engine.way.journals_held.send_replace(false);
    let head = stage.until_state("i", State::Paused).await;
    assert!(head.fork.is_some_and(|fork| !fork.open), "what it keeps is written");
    stage.no_body().await;
    stage.controlled("i", Action::Resume);
    engine.send("i", 5).await;
    stage.body().await.end(2);
    assert_eq!(stage.output("i").await, 7);
}

#[tokio::test]
async fn a_fork_that_is_restarted_while_it_is_taken_over_is_given_up() {
    let stage = Stage::new();
    let engine = being_taken_over(&stage).await;
    stage.controlled("i", Action::Restart);
    engine.way.journals_held.send_replace(false);
    engine.send("i", 5).await;
    let body = stage.body().await;
    assert_eq!(stage.head("i").map(|head| (head.run, head.fork)), Some((3, None)));
    body.end(2);
    assert_eq!(stage.output("i").await, 7);
    stage.no_body().await;
}

#[tokio::test]
async fn a_fork_is_taken_over_once_though_the_answer_is_lost() {
    let stage = Stage::new();
    let engine = being_taken_over(&stage).await;
    engine.way.lose_replies.store(2, std::sync::atomic::Ordering::SeqCst);
    engine.way.journals_held.send_replace(false);
    engine.send("i", 5).await;
    stage.body().await.end(2);
    assert_eq!(stage.output("i").await, 7);
    assert_eq!(stage.records("i", 2).len(), 2);
}

const fn shift(record: &Record) -> Option<i64> {
    match record.entry {
        Entry::Shifted { by_ms } => Some(by_ms),
        _ => None,
    }
}
