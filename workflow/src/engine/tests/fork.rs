//! Runs that are restarted from an operation, as a worker takes them up.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{LONG_LEASE, NAPS, Stage};
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
        let instance = &self.store.dump().instances[&super::stage::id(instance)];
        let records = instance.journals.get(&run).into_iter().flatten();
        records.map(|bytes| Record::decode(bytes.as_bytes()).expect("as it was written")).collect()
    }

    fn controlled(&self, instance: &str, action: Action) -> State {
        let control = Control { request: RequestId::generate(), id: super::stage::id(instance), run: None, action };
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
    stage.controlled("i", Action::RestartFrom { path });
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

const fn shift(record: &Record) -> Option<i64> {
    match record.entry {
        Entry::Shifted { by_ms } => Some(by_ms),
        _ => None,
    }
}
