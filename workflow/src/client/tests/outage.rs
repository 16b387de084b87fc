//! What calls do while the store cannot be reached, and what another client does between two looks at it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::broadcast;

use super::{Bench, Order, inputs};
use crate::client::create::{create, new_instance};
use crate::client::engine::Engine;
use crate::client::error::EngineError;
use crate::client::handle::{Handle, get};
use crate::client::result::ResultError;
use crate::engine::Mode;
use crate::journal::command::{Action, Command, Control, Create, Ending, Owner, OwnerWrite, Reply, Then, Write};
use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Outcome, Record};
use crate::store::model::ModelStore;
use crate::store::{
    BoxFuture, Heart, Hinted, ListQuery, Overview, Page, Pending, SessionView, Snapshot, Store, StoreError,
};
use crate::words::id::{InstanceId, RequestId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::{ManualClock, Timestamp};

/// How many looks fail for a store that is gone for good.
const FOR_EVER: u32 = u32::MAX;

/// A store that cannot be looked at for a while.
#[derive(Debug, Default)]
struct Flaky {
    store: ModelStore,
    failures: AtomicU32,
    damaged: bool,
    /// What another client does while a journal is read.
    meanwhile: Mutex<Option<Command>>,
    /// How many creates another client comes before; what it created is gone when something is sent to it.
    quicker: AtomicU32,
}

impl Flaky {
    fn be_quicker(&self, command: &Command) {
        match command {
            Command::Create(create) if self.quicker.load(Ordering::Acquire) > 0 => {
                self.quicker.fetch_sub(1, Ordering::AcqRel);
                self.store.apply(&Command::Create(Create { request: RequestId::generate(), ..create.clone() }));
            }
            Command::Send(_) => {
                let mut data = self.store.dump();
                data.instances.clear();
                self.store.restore(data);
            }
            _ => {}
        }
    }

    fn fails(&self) -> Option<StoreError> {
        let failures = self.failures.load(Ordering::Acquire);
        if failures == 0 {
            return None;
        }
        if failures != FOR_EVER {
            self.failures.store(failures - 1, Ordering::Release);
        }
        let (store, message) = ("flaky".to_owned(), "gone".to_owned());
        Some(match self.damaged {
            true => StoreError::Damaged { store, message },
            false => StoreError::Unavailable { store, message },
        })
    }
}

impl Store for Flaky {
    fn describe(&self) -> String {
        "flaky".to_owned()
    }

    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        batch.iter().for_each(|command| self.be_quicker(command));
        self.store.execute(partition, batch)
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.store.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        self.store.heart()
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        match self.fails() {
            Some(error) => Box::pin(async { Err(error) }),
            None => self.store.inspect(id),
        }
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        if let Some(command) = self.meanwhile.lock().expect("no test panics with it").take() {
            self.store.apply(&command);
        }
        self.store.journal(id, run, from)
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        self.store.sessions()
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        self.store.held(session, limit)
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        self.store.outbox(before, limit)
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        self.store.overview()
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.store.list(query)
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.store.now()
    }
}

/// An instance that is terminated, in a store whose next looks fail.
async fn ended(failures: u32, damaged: bool) -> Handle<Order> {
    let store = Arc::new(Flaky { damaged, ..Flaky::default() });
    let builder = Engine::builder().store(store.clone()).mode(Mode::Client).patience(Duration::from_secs(30));
    let engine = builder.start().await.expect("a client starts");
    let order = create::<Order>(&engine, inputs(1)).await.expect("new");
    order.terminate("done").await.expect("queued");
    store.failures.store(failures, Ordering::Release);
    order
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_waited_for() {
    let order = ended(5, false).await;
    assert_eq!(order.status().await.expect("after the outage").terminated.as_deref(), Some("done"));
}

#[tokio::test(start_paused = true)]
async fn a_question_gives_up_when_patience_is_over_and_says_why() {
    let order = ended(FOR_EVER, false).await;
    let began = tokio::time::Instant::now();
    let error = order.status().await.expect_err("gone");
    assert!(matches!(error, EngineError::Store(StoreError::Unavailable { .. })), "{error:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_result_outlasts_any_outage() {
    // A hundred looks, five seconds apart: far longer than patience.
    let order = ended(100, false).await;
    let began = tokio::time::Instant::now();
    let error = order.result().await.expect_err("terminated");
    assert!(matches!(error, ResultError::Terminated { .. }), "{error:?}");
    assert!(began.elapsed() > Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn damage_is_told_at_once() {
    let order = ended(FOR_EVER, true).await;
    assert_eq!(order.status().await.expect_err("damaged").code(), "store");
    assert!(matches!(order.result().await, Err(ResultError::Store(StoreError::Damaged { .. }))));
    let mut changes = order.on_change();
    assert!(changes.next().await.is_none());
    assert_eq!(changes.error().map(EngineError::code), Some("store"));
}

#[tokio::test(start_paused = true)]
async fn health_tells_that_the_store_was_not_read_and_that_it_is_again() {
    let store = Arc::new(Flaky::default());
    let builder = Engine::builder().store(store.clone()).mode(Mode::Client).patience(Duration::from_secs(1));
    let engine = builder.start().await.expect("a client starts");
    let order = create::<Order>(&engine, inputs(1)).await.expect("new");
    assert!(engine.health().is_good());
    store.failures.store(FOR_EVER, Ordering::Release);
    order.status().await.expect_err("gone");
    let health = engine.health();
    assert!(!health.is_good() && health.store.answering && !health.store.readable, "{health}");
    let problem = "the store did not answer the newest question: the store flaky cannot be reached: gone";
    assert_eq!(health.problems(), [problem]);
    store.failures.store(0, Ordering::Release);
    order.status().await.expect("it is back");
    assert!(engine.health().is_good());
}

/// A client whose next look at a journal comes before what another one does, and an order with two steps that is complete.
async fn looked_at() -> (Arc<Flaky>, Bench, Handle<Order>) {
    let store = Arc::new(Flaky::default());
    let engine = Engine::builder().store(store.clone()).mode(Mode::Client).start().await.expect("a client starts");
    let clock = Arc::new(ManualClock::starting_at(super::START));
    let bench = Bench { engine, store: store.store.clone(), clock };
    let order = bench.order(1).await.expect("new");
    let step = |name: &str| {
        let path = Path::root().join(Kind::Step, name, None, 0);
        let done = Entry::Done(Outcome::Value(Payload::from_bytes(*b"1")));
        Record { time: super::START, path, entry: done }.encode()
    };
    let (session, claimed) = bench.claim();
    let ending = Ending { result: Ok(Payload::from_bytes(*b"42")) };
    bench.write(session, &claimed[0], vec![step("reserve"), step("charge")], Then::Finish(ending));
    (store, bench, order)
}

async fn is_not_restarted_from_charge(order: &Handle<Order>) {
    let error = order.restart_from("charge").await.expect_err("the run that is the newest now has recorded nothing");
    assert_eq!(error.code(), "no_such_step");
    assert_eq!(order.status().await.expect("kept").run, 2, "nothing but the other's restart was done");
}

/// The operation is looked for in the records of one run: they say nothing of one that began meanwhile.
#[tokio::test]
async fn a_restart_from_an_operation_is_not_carried_out_on_a_run_that_began_after_the_look() {
    let (store, _bench, order) = looked_at().await;
    let (request, id) = (RequestId::generate(), order.instance_id().clone());
    let restart = Control { request, id, run: None, action: Action::Restart };
    *store.meanwhile.lock().expect("no test panics with it") = Some(Command::Control(restart));
    is_not_restarted_from_charge(&order).await;
}

/// Until a worker has taken a run over that was restarted from an operation, its records are those of its source.
#[tokio::test]
async fn a_restart_from_an_operation_is_not_carried_out_on_a_run_that_has_kept_nothing_since_the_look() {
    let (store, bench, order) = looked_at().await;
    order.restart_from("reserve").await.expect("it is recorded");
    let (session, claimed) = bench.claim();
    let owner = Owner { id: claimed[0].id.clone(), session, run: claimed[0].run, v: claimed[0].v };
    let nothing = Write {
        records: Vec::new(),
        consumed: Vec::new(),
        seen: 0,
        outgoing: Vec::new(),
        shifted_ms: 0,
        then: Then::Forked,
    };
    let taken_over = OwnerWrite { request: RequestId::generate(), owner, write: nothing };
    *store.meanwhile.lock().expect("no test panics with it") = Some(Command::Own(taken_over));
    is_not_restarted_from_charge(&order).await;
}

/// Sends an event to an instance that another client creates first so often, each time to be deleted before the event comes.
async fn send_to_what_vanishes(times: u32) -> (Arc<Flaky>, Result<(), EngineError>) {
    let store = Arc::new(Flaky { quicker: AtomicU32::new(times), ..Flaky::default() });
    let engine = Engine::builder().store(store.clone()).mode(Mode::Client).start().await.expect("a client starts");
    let order = new_instance::<Order>(inputs(1));
    let sent = get::<Order>(&engine, "o").send_type("t", 1).create_if_absent(order).await;
    (store, sent)
}

#[tokio::test]
async fn what_was_deleted_before_its_event_came_is_created_with_the_event() {
    let (store, sent) = send_to_what_vanishes(2).await;
    sent.expect("the third time nobody was quicker");
    assert_eq!(store.store.dump().instances.into_values().map(|made| made.mailbox.len()).collect::<Vec<_>>(), [1]);
    let (_, gave_up) = send_to_what_vanishes(3).await;
    assert_eq!(gave_up.expect_err("it vanishes again and again").code(), "not_found");
}
