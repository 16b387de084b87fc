//! A store on a server of the test's own, and the few commands these tests send.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use support::redis::RedisServer;
use tokio::runtime::Runtime;
use tokio::sync::broadcast::Receiver;
use workflow::journal::command::{
    Command, Create, CreateReply, InstanceSpec, OwnReply, Owner, OwnerWrite, Reply, Send, Then, Wait, Write,
};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::Path;
use workflow::store::redis::RedisStore;
use workflow::store::{Hint, Hinted, Store, StoreError};
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// Every index of a partition, as `keys.rs` spells them.
pub(crate) const INDEXES: [&str; 16] = [
    "ready",
    "timers",
    "paused",
    "complete",
    "held",
    "inbox",
    "notes",
    "lost",
    "shelf",
    "all",
    "out",
    "old",
    "errored",
    "terminated",
    "later",
    "ids",
];

/// How long a session of these tests lives without a beat.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// The session of these tests.
pub(super) const SESSION: SessionId = SessionId(7);

/// A runtime for one test.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Opens a store in the namespace of these tests.
pub(super) async fn open(url: &str) -> Result<RedisStore, StoreError> {
    RedisStore::open(url, &Namespace::new("links").expect("valid")).await
}

/// An event for an instance.
pub(super) fn event(to: &str, event_id: &str) -> Command {
    let message =
        NewMessage { channel: Channel::event("x", ""), event_id: event_id.into(), payload: Payload::from_bytes(*b"1") };
    Command::Send(Send { id: InstanceId::new(to).expect("valid"), run: None, message })
}

/// A create, with a request of its own.
pub(super) fn create(id: &str) -> Create {
    let spec = InstanceSpec {
        workflow: WorkflowName::new("order").expect("valid"),
        version: 1,
        queue: QueueName::new("default").expect("valid"),
        priority: 0,
        input: Payload::from_bytes(*b"{}"),
        seed: 1,
        start_at: None,
        keep_complete: Duration::from_secs(60),
        keep_failed: Duration::from_secs(60),
        parent: None,
    };
    Create {
        request: RequestId::generate(),
        id: InstanceId::new(id).expect("valid"),
        spec: Arc::new(spec),
        local: None,
        message: None,
    }
}

/// Sends one command, once.
pub(super) async fn once(store: &RedisStore, command: Command) -> Result<Reply, StoreError> {
    store.execute(0, vec![command]).await.map(|mut replies| replies.remove(0))
}

/// Sends one command until it is answered: a store comes back by itself.
pub(super) async fn in_the_end(store: &RedisStore, command: &Command) -> Reply {
    support::wait::until("an answer", async || match once(store, command.clone()).await {
        Ok(reply) => Some(reply),
        Err(StoreError::Unavailable { .. } | StoreError::Refused { .. }) => None,
        Err(other) => panic!("{other}"),
    })
    .await
}

/// Makes an instance, and sees that it was this call that made it.
pub(super) async fn make(store: &RedisStore, id: &str) {
    assert_eq!(in_the_end(store, &Command::Create(create(id))).await, made());
}

/// What a create is answered that makes an instance.
pub(super) fn made() -> Reply {
    Reply::Create(CreateReply::Created { claimed: None })
}

/// Starts an instance in the session of these tests.
pub(super) async fn start(store: &RedisStore, id: &str) -> Owner {
    once(store, Command::OpenSession { session: SESSION, lease: LEASE }).await.expect("it opens");
    let create = Create { local: Some(SESSION), ..create(id) };
    match once(store, Command::Create(create)).await.expect("it works") {
        Reply::Create(CreateReply::Created { claimed: Some(claimed) }) => {
            Owner { id: claimed.id, session: SESSION, run: claimed.run, v: claimed.v }
        }
        other => panic!("it was not started: {other:?}"),
    }
}

/// A record of so many bytes.
pub(super) fn record(bytes: usize) -> Payload {
    Payload::from_bytes(vec![b'r'; bytes])
}

/// A write of these records.
pub(super) fn write(records: Vec<Payload>, then: Then) -> Write {
    Write { records, consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then }
}

/// Waits for the event that these tests send, or until a time.
pub(super) fn waiting(due: Option<Timestamp>) -> Then {
    let channel = due.is_none().then(|| Channel::event("x", ""));
    Then::Suspend { waits: vec![Wait { path: Path::root(), channel, due, shifts: false }], paused: false }
}

/// Writes as an owner.
pub(super) async fn own(store: &RedisStore, owner: &Owner, write: Write) -> OwnReply {
    let own = OwnerWrite { request: RequestId::generate(), owner: owner.clone(), write };
    match once(store, Command::Own(own)).await.expect("it is answered") {
        Reply::Own(reply) => reply,
        other => panic!("not the answer to an owner: {other:?}"),
    }
}

/// How many calls of scripts a server has answered.
pub(super) fn scripts_run(server: &RedisServer) -> usize {
    commands_run(server, "evalsha")
}

/// How often a server has carried out a command, by clients and by scripts.
pub(super) fn commands_run(server: &RedisServer, command: &str) -> usize {
    let info: String = redis::from_redis_value(server.command(&["INFO", "commandstats"])).expect("a text");
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or_default()
}

/// The hint of work in the queue of these tests.
pub(super) fn ready() -> Hint {
    Hint::Ready(QueueName::new("default").expect("valid"))
}

/// Waits for one hint, and gives the partition it is of.
pub(super) async fn hear(hints: &mut Receiver<Hinted>, wanted: &Hint) -> Option<usize> {
    let heard = async {
        loop {
            let Hinted { partition, hint } = hints.recv().await.expect("the store lives");
            if hint == *wanted {
                return partition;
            }
        }
    };
    tokio::time::timeout(support::wait::PATIENCE, heard).await.expect("the hint comes")
}

/// Every key and all that it holds, sorted: the order of a large hash is the server's own affair.
#[derive(PartialEq, Eq)]
pub(super) struct Dump(BTreeMap<Vec<u8>, Vec<Vec<u8>>>);

impl Dump {
    /// What one key holds.
    pub(super) fn of(&self, key: &str) -> Option<&Vec<Vec<u8>>> {
        self.0.get(key.as_bytes())
    }
}

impl fmt::Debug for Dump {
    /// Shows the keys, and how much they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes =
            self.0.iter().map(|(key, held)| (String::from_utf8_lossy(key), held.iter().map(Vec::len).sum::<usize>()));
        f.debug_map().entries(sizes).finish()
    }
}

/// Looks at everything a server holds, but for how many calls there were.
pub(super) fn dump(server: &RedisServer) -> Dump {
    let mut connection = server.connect().expect("it answers");
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("keys");
    let held = |key: Vec<u8>| {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).expect("a type");
        let mut ask = match kind.as_str() {
            "hash" => redis::cmd("HGETALL"),
            "set" => redis::cmd("SMEMBERS"),
            "zset" => redis::cmd("ZRANGE"),
            "string" => redis::cmd("GETRANGE"),
            other => panic!("nothing here is a {other}"),
        };
        ask.arg(&key);
        if kind == "zset" {
            ask.arg(0).arg(-1).arg("WITHSCORES");
        }
        if kind == "string" {
            let held: Vec<u8> = ask.arg(0).arg(-1).query(&mut connection).expect("a value");
            return (key, vec![held]);
        }
        let mut held: Vec<Vec<u8>> = ask.query(&mut connection).expect("values");
        if kind == "hash" {
            // Fields stay with their values.
            held = held.chunks(2).map(|pair| pair.join(b"=".as_slice())).collect();
        }
        if kind != "zset" {
            held.sort();
        }
        (key, held)
    };
    Dump(keys.into_iter().filter(|key| !key.ends_with(b":calls")).map(held).collect())
}
