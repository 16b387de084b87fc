//! A store on a server of its own, asked in batches of one size: what a transition takes of the server, and of the store's
//! code in the worker.

use std::sync::Arc;
use std::time::Duration;

use support::redis::RedisServer;
use support::wait::until;
use workflow::journal::command::{
    Claim, ClaimReply, Claimed, Command, Create, CreateReply, Ending, InstanceSpec, OwnReply, Owner, OwnerWrite, Reply,
    Send, SendReply, Then, Wait, Write,
};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::Path;
use workflow::store::Store as _;
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// Commands of a batch: as many as one call of a script has at most.
pub(crate) const BATCH: usize = 64;

const SESSION: SessionId = SessionId(7);
const LEASE: Duration = Duration::from_secs(3_600);
/// Kept longer than any of this takes.
const KEPT: Duration = Duration::from_secs(3_600);

/// How long the instances here sleep, in milliseconds: longer than to ask for it takes.
const SOON: i64 = 200;

/// Who asks.
pub(crate) struct Asker {
    store: RedisStore,
    spec: Arc<InstanceSpec>,
    /// How many instances there were before.
    made: usize,
    claims: u64,
}

/// The owners of a batch.
pub(crate) type Owners = Vec<Owner>;

/// So many batches of workflows of three steps that start where they are created.
pub(crate) fn local(times: usize) {
    each_batch(times, async |asker| {
        let owners = asker.start().await;
        three_steps(asker, owners).await;
    });
}

/// The same, but claimed.
pub(crate) fn queued(times: usize) {
    each_batch(times, async |asker| {
        asker.queue().await;
        let owners = asker.claim().await;
        three_steps(asker, owners).await;
    });
}

async fn three_steps(asker: &Asker, mut owners: Owners) {
    asker.append(&mut owners).await;
    asker.append(&mut owners).await;
    asker.end(&owners, 0).await;
}

/// So many batches of workflows that wait for an event, and then sleep.
pub(crate) fn waits(times: usize) {
    each_batch(times, async |asker| {
        let owners = asker.start().await;
        asker.wait(&owners).await;
        asker.send(&owners).await;
        let owners = asker.claim().await;
        let due = asker.soon().await;
        asker.sleep(&owners, due).await;
        asker.wake(due).await;
        let owners = asker.claim().await;
        asker.end(&owners, 1).await;
    });
}

fn each_batch(times: usize, mut batch: impl AsyncFnMut(&mut Asker)) {
    let server = RedisServer::start();
    runtime().block_on(async {
        let mut asker = Asker::on(&server).await;
        for _ in 0..times {
            batch(&mut asker).await;
        }
    });
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Asker {
    pub(crate) async fn on(server: &RedisServer) -> Self {
        let store = RedisStore::open(&server.url(), &Namespace::new("costs").expect("valid")).await;
        let spec = InstanceSpec {
            workflow: WorkflowName::new("three").expect("valid"),
            version: 1,
            queue: QueueName::new("default").expect("valid"),
            priority: 0,
            input: Payload::from_bytes(*b"{}"),
            seed: 1,
            start_at: None,
            keep_complete: KEPT,
            keep_failed: KEPT,
            parent: None,
        };
        let asker = Self { store: store.expect("it opens"), spec: Arc::new(spec), made: 0, claims: 0 };
        asker.ask(vec![Command::OpenSession { session: SESSION, lease: LEASE }]).await;
        asker
    }

    async fn ask(&self, batch: Vec<Command>) -> Vec<Reply> {
        self.store.execute(0, batch).await.expect("it is answered")
    }

    /// Creates of new instances.
    fn creates(&mut self, local: Option<SessionId>) -> Vec<Command> {
        let from = self.made;
        self.made += BATCH;
        let create = |number| {
            let id = InstanceId::new(format!("instance-{number:010}")).expect("valid");
            let (request, spec) = (RequestId::generate(), self.spec.clone());
            Command::Create(Create { request, id, spec, local, message: None })
        };
        (from..self.made).map(create).collect()
    }

    /// Instances that are held as they are made.
    pub(crate) async fn start(&mut self) -> Owners {
        let creates = self.creates(Some(SESSION));
        let held = |reply| match reply {
            Reply::Create(CreateReply::Created { claimed: Some(claimed) }) => owner(&claimed),
            other => panic!("it was not started: {other:?}"),
        };
        self.ask(creates).await.into_iter().map(held).collect()
    }

    /// Instances for anyone to claim.
    pub(crate) async fn queue(&mut self) {
        let creates = self.creates(None);
        for reply in self.ask(creates).await {
            assert!(matches!(reply, Reply::Create(CreateReply::Created { claimed: None })), "{reply:?}");
        }
    }

    /// Claims a batch.
    pub(crate) async fn claim(&mut self) -> Owners {
        self.claims += 1;
        let claim = Claim {
            number: self.claims,
            session: SESSION,
            limit: BATCH,
            queues: [self.spec.queue.clone()].into(),
            known: [(self.spec.workflow.clone(), 1)].into(),
            quotas: Vec::new(),
            limits: Vec::new(),
        };
        match self.ask(vec![Command::Claim(claim)]).await.remove(0) {
            Reply::Claim(ClaimReply::Given { instances, .. }) => {
                assert_eq!(instances.len(), BATCH);
                instances.iter().map(owner).collect()
            }
            other => panic!("nothing was given: {other:?}"),
        }
    }

    async fn write(&self, owners: &Owners, write: impl Fn() -> Write) -> Vec<u64> {
        let own = |owner: &Owner| {
            Command::Own(OwnerWrite { request: RequestId::generate(), owner: owner.clone(), write: write() })
        };
        let granted = |reply| match reply {
            Reply::Own(OwnReply::Ok(granted)) => granted.v,
            other => panic!("it was not written: {other:?}"),
        };
        self.ask(owners.iter().map(own).collect()).await.into_iter().map(granted).collect()
    }

    /// A record for each.
    pub(crate) async fn append(&self, owners: &mut Owners) {
        let versions = self.write(owners, || written(vec![record()], Then::Hold)).await;
        for (owner, v) in owners.iter_mut().zip(versions) {
            owner.v = v;
        }
    }

    /// The last record of each with its end. `seen`: its newest message.
    pub(crate) async fn end(&self, owners: &Owners, seen: u64) {
        let end = || Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"[1,2,3]")) });
        self.write(owners, || Write { seen, ..written(vec![record()], end()) }).await;
    }

    /// Each waits for an event.
    pub(crate) async fn wait(&self, owners: &Owners) {
        self.write(owners, || written(Vec::new(), suspended(Some(channel()), None))).await;
    }

    /// Each consumes its first message, and sleeps until a time.
    pub(crate) async fn sleep(&self, owners: &Owners, due: Timestamp) {
        let sleep = || Write { consumed: vec![1], seen: 1, ..written(vec![record()], suspended(None, Some(due))) };
        self.write(owners, sleep).await;
    }

    /// An event for each.
    pub(crate) async fn send(&self, owners: &Owners) {
        let send = |owner: &Owner| {
            let (event_id, payload) = ("an-event".into(), Payload::from_bytes(*b"1"));
            let message = NewMessage { channel: channel(), event_id, payload };
            Command::Send(Send { id: owner.id.clone(), run: None, message })
        };
        for reply in self.ask(owners.iter().map(send).collect()).await {
            assert!(matches!(reply, Reply::Send(SendReply::Accepted)), "{reply:?}");
        }
    }

    /// A time soon after now.
    pub(crate) async fn soon(&self) -> Timestamp {
        self.store.now().await.expect("it is told").shifted(SOON)
    }

    /// Wakes all that sleep until then.
    pub(crate) async fn wake(&self, due: Timestamp) {
        until("it is time", async || (self.store.now().await.expect("it is told") >= due).then_some(())).await;
        let woken = self.ask(vec![Command::WakeDue { limit: BATCH }]).await.remove(0);
        assert!(matches!(woken, Reply::Count { done: BATCH, .. }), "{woken:?}");
    }
}

fn suspended(channel: Option<Channel>, due: Option<Timestamp>) -> Then {
    Then::Suspend { waits: vec![Wait { path: Path::root(), channel, due, shifts: false }], paused: false }
}

fn owner(claimed: &Claimed) -> Owner {
    Owner { id: claimed.id.clone(), session: SESSION, run: claimed.run, v: claimed.v }
}

fn channel() -> Channel {
    Channel::event("paid", "")
}

fn record() -> Payload {
    Payload::from_bytes([b'r'; 24])
}

fn written(records: Vec<Payload>, then: Then) -> Write {
    Write { records, consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then }
}
