//! The running surface against the model store, in mode Client: nothing runs, so every state is one a test made.

mod control;
mod create;
mod event;
mod look;
mod outage;

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::create::{Create, New, create, new_instance};
use super::engine::Engine;
use crate::definition::{Definition, EncodedInputs, InputError, Registration, input};
use crate::engine::Mode;
use crate::error::Never;
use crate::journal::command::{Claim, ClaimReply, Claimed, Command, Ending, Owner, OwnerWrite, Reply, Then, Write};
use crate::store::model::ModelStore;
use crate::words::id::{QueueName, RequestId, SessionId, WorkflowName};
use crate::words::location::Location;
use crate::words::payload::Payload;
use crate::words::time::{ManualClock, Timestamp};

/// The time every test begins at, by the store.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What an order's error may be.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum OrderError {
    NoStock,
}

struct Order;

impl Definition for Order {
    const NAME: &'static str = "order";
    const VERSION: u32 = 3;
    const QUEUE: &'static str = "default";
    const GRAPH: &'static str = "";
    type Output = u64;
    type Error = OrderError;

    fn registration() -> &'static Registration {
        static REGISTRATION: Registration = registration("order", 3);
        &REGISTRATION
    }
}

struct Refund;

impl Definition for Refund {
    const NAME: &'static str = "refund";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "slow";
    const KEEP_FAILED: Option<Duration> = Some(Duration::from_secs(60));
    const GRAPH: &'static str = "";
    type Output = u64;
    type Error = Never;

    fn registration() -> &'static Registration {
        static REGISTRATION: Registration = registration("refund", 1);
        &REGISTRATION
    }
}

const fn registration(name: &'static str, version: u32) -> Registration {
    Registration {
        name,
        version,
        queue: "default",
        graph: "",
        at: Location::new(file!(), line!(), column!()),
        resources: Vec::new,
        // A client never starts one.
        start: |_| Err(InputError::Missing { name: "everything" }),
    }
}

/// An engine in mode Client on a model store whose clock stands still.
struct Bench {
    engine: Engine,
    store: ModelStore,
    clock: Arc<ManualClock>,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let store = ModelStore::new(clock.clone());
        let engine = Engine::builder()
            .store(Arc::new(store.clone()))
            .mode(Mode::Client)
            .start()
            .await
            .expect("a client on a store in memory starts");
        Self { engine, store, clock }
    }

    fn order(&self, amount: u64) -> Create<Order> {
        create(&self.engine, inputs(amount))
    }

    /// Takes what is ready as a worker of the order's version would.
    fn claim(&self) -> (SessionId, Vec<Claimed>) {
        let session = SessionId::generate();
        self.store.apply(&Command::OpenSession { session, lease: Duration::from_secs(10) });
        let reply = self.store.apply(&Command::Claim(Claim {
            number: 1,
            session,
            limit: 10,
            queues: Arc::from([QueueName::new("default").expect("valid")]),
            known: Arc::from([(WorkflowName::new("order").expect("valid"), 3)]),
        }));
        match reply {
            Reply::Claim(ClaimReply::Given { instances, .. }) => (session, instances),
            other => panic!("not a claim's answer: {other:?}"),
        }
    }

    /// Writes as the worker that claimed it, having read all its messages.
    fn write(&self, session: SessionId, claimed: &Claimed, records: Vec<Payload>, then: Then) {
        let owner = Owner { id: claimed.id.clone(), session, run: claimed.run, v: claimed.v };
        let consumed: Vec<u64> = claimed.granted.messages.iter().map(|message| message.seq).collect();
        let seen = consumed.last().copied().unwrap_or(0);
        let write = Write { records, consumed, seen, outgoing: Vec::new(), shifted_ms: 0, then };
        self.store.apply(&Command::Own(OwnerWrite { request: RequestId::generate(), owner, write }));
    }

    /// Runs the only ready instance to this end.
    fn finish(&self, ending: Ending) {
        let (session, claimed) = self.claim();
        self.write(session, &claimed[0], Vec::new(), Then::Finish(ending));
    }
}

/// Nothing here: that it compiles is the test. What users hold and await can go to any task.
const fn sends<T: Send>(_: &T) {}

#[tokio::test]
async fn everything_can_be_held_and_awaited_in_any_task() {
    let bench = Bench::new().await;
    sends(&Engine::builder().start());
    let order = bench.order(1).await.expect("new");
    sends(&order);
    sends(&order.status());
    sends(&order.history());
    sends(&order.result());
    sends(&order.pause());
    sends(&order.send_type("t", 1).into_future());
    sends(&order.on_change().next());
    sends(&bench.engine.list().into_future());
    sends(&bench.engine.shutdown(Duration::ZERO));
}

fn inputs(amount: u64) -> EncodedInputs {
    let mut inputs = EncodedInputs::new();
    input::<u64>("amount").encode(&amount, &mut inputs);
    inputs
}

fn item(id: &str) -> New<Order> {
    new_instance::<Order>(inputs(1)).id(id)
}
