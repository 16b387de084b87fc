//! Commands that are sent again, as after a lost reply: the second time changes not one byte of the server.

use std::sync::Arc;
use std::time::Duration;

use support::redis::RedisServer;
use workflow::journal::command::{Action, Claim, Command, Control, Create, Ending, OwnReply, Owner, Send, Then, Wait};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::{Clock, ManualClock, Timestamp};

use super::stage::{LEASE, SESSION, create, dump, once, own, record, runtime, start, write};

/// A server and a store on it whose time stands still: by the server's own, a repeat could write a later time.
struct Bench {
    server: RedisServer,
    store: RedisStore,
    clock: Arc<ManualClock>,
}

impl Bench {
    async fn new() -> Self {
        let server = RedisServer::start();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000)));
        let held: Arc<dyn Clock> = clock.clone();
        let namespace = Namespace::new("links").expect("valid");
        let store = RedisStore::open_with(&server.url(), &namespace, Some(held)).await.expect("it opens");
        Self { server, store, clock }
    }

    /// Sends a command twice: the first time changes something, the second time nothing.
    async fn twice(&self, command: Command) {
        let before = dump(&self.server);
        once(&self.store, command.clone()).await.expect("it is answered");
        let after = dump(&self.server);
        assert_ne!(before, after, "the first time does something: {command:?}");
        once(&self.store, command.clone()).await.expect("it is answered");
        assert_eq!(dump(&self.server), after, "the second time does nothing: {command:?}");
    }

    async fn own(&self, owner: &mut Owner, then: Then) {
        match own(&self.store, owner, write(vec![record(8)], then)).await {
            OwnReply::Ok(_) => owner.v += 1,
            other => panic!("{other:?}"),
        }
    }
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn control(of: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(of), run: None, action })
}

fn event(to: &str) -> Command {
    let message =
        NewMessage { channel: Channel::event("x", ""), event_id: "e1".into(), payload: Payload::from_bytes(*b"1") };
    Command::Send(Send { id: id(to), run: None, message })
}

fn claim() -> Command {
    Command::Claim(Claim {
        session: SESSION,
        number: 1,
        limit: 10,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
        quotas: Vec::new(),
        limits: Vec::new(),
    })
}

#[test]
fn what_anyone_may_ask_is_done_once() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        bench.twice(Command::Create(create("a"))).await;
        bench.twice(event("a")).await;
        bench.twice(control("a", Action::Pause)).await;
        bench.twice(control("a", Action::Resume)).await;
        bench.twice(control("a", Action::Terminate { reason: "no".to_owned() })).await;
        bench.twice(control("a", Action::Restart)).await;
        bench.twice(Command::OpenSession { session: SESSION, lease: LEASE }).await;
        bench.twice(Command::Create(Create { local: Some(SESSION), ..create("b") })).await;
        bench.twice(claim()).await;
        bench.twice(Command::CloseSession { session: SESSION }).await;
    });
}

#[test]
fn what_sweeps_ask_is_done_once() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let mut owner = start(&bench.store, "a").await;
        let wait = |due| {
            let path = Path::root().join(Kind::Wait, "w", None, 0);
            vec![Wait { path, channel: Some(Channel::event("x", "")), due, shifts: true }]
        };
        let due = Some(bench.clock.now().shifted(1_000));
        bench.own(&mut owner, Then::Suspend { waits: wait(due), paused: false }).await;
        bench.clock.advance(Duration::from_secs(2));
        bench.twice(Command::WakeDue { limit: 10 }).await;
        bench.clock.advance(Duration::from_secs(2));
        bench.twice(Command::Unstick { older_than: Duration::from_secs(1), limit: 10 }).await;
        bench.twice(claim()).await;
        bench.clock.advance(LEASE * 2);
        bench.twice(Command::Fence { session: SESSION, beats: 0 }).await;
        bench.twice(Command::Recover { session: SESSION, limit: 10 }).await;
        bench.twice(control("a", Action::Terminate { reason: "no".to_owned() })).await;
        bench.clock.advance(Duration::from_secs(61));
        bench.twice(Command::Expire { limit: 10 }).await;
    });
}

#[test]
fn an_end_is_written_once() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let owner = start(&bench.store, "a").await;
        let request = RequestId::generate();
        let write = write(vec![record(8)], Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) }));
        let command = Command::Own(workflow::journal::command::OwnerWrite { request, owner, write });
        bench.twice(command).await;
    });
}
