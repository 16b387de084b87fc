//! What these tests are written with: stores, and commands with as little said as possible.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::journal::command::{
    Claim, ClaimReply, Claimed, Command, Create, Ending, InstanceSpec, OwnReply, Owner, OwnerWrite, Reply, Send, Then,
    Write,
};
use crate::journal::message::{Channel, NewMessage};
use crate::store::Store;
use crate::store::fsck::Area;
use crate::store::sqlite::SqliteStore;
use crate::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::{ManualClock, Timestamp};

pub(super) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const LEASE: Duration = Duration::from_secs(30);

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(START))
}

pub(super) fn namespace(name: &str) -> Namespace {
    Namespace::new(name).expect("a valid name")
}

/// A store in a file of this folder.
pub(super) async fn open(folder: &tempfile::TempDir, clock: &Arc<ManualClock>) -> SqliteStore {
    let url = url(folder);
    SqliteStore::open(&url, &namespace("default"), clock.clone()).await.expect("it opens")
}

pub(super) fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("w.db").display())
}

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("a valid id")
}

pub(super) fn bytes(text: &str) -> Payload {
    Payload::from_bytes(text.as_bytes().to_vec())
}

pub(super) fn workflow(name: &str) -> WorkflowName {
    WorkflowName::new(name).expect("a valid name")
}

pub(super) fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("a valid name")
}

pub(super) fn spec() -> InstanceSpec {
    InstanceSpec {
        workflow: workflow("order"),
        version: 1,
        queue: queue("default"),
        priority: 0,
        input: bytes("{}"),
        seed: 7,
        start_at: None,
        keep_complete: Duration::from_secs(60),
        keep_failed: Duration::from_secs(60),
        parent: None,
    }
}

pub(super) fn create(name: &str, local: Option<SessionId>) -> Command {
    Command::Create(Create {
        request: RequestId::generate(),
        id: id(name),
        spec: Arc::new(spec()),
        local,
        message: None,
    })
}

pub(super) fn open_session(session: SessionId) -> Command {
    Command::OpenSession { session, lease: LEASE }
}

/// The numbers of all claims of these tests. Not from the first: some are sent late, under the number of one before.
pub(super) static NUMBERS: AtomicU64 = AtomicU64::new(10);

pub(super) fn claim(session: SessionId, limit: usize) -> Command {
    Command::Claim(Claim {
        number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        session,
        limit,
        queues: Arc::from([queue("default")]),
        known: Arc::from([(workflow("order"), 1)]),
        quotas: Vec::new(),
        limits: Vec::new(),
    })
}

pub(super) fn send(name: &str, event: &str) -> Command {
    let message = NewMessage { channel: Channel::event("t", ""), event_id: event.into(), payload: bytes("1") };
    Command::Send(Send { id: id(name), run: None, message })
}

pub(super) fn write(records: &[&str], then: Then) -> Write {
    Write {
        records: records.iter().map(|text| bytes(text)).collect(),
        consumed: Vec::new(),
        seen: 0,
        outgoing: Vec::new(),
        shifted_ms: 0,
        then,
    }
}

pub(super) fn finish() -> Then {
    Then::Finish(Ending { result: Ok(bytes("done")) })
}

pub(super) fn own(name: &str, session: SessionId, run: u32, v: u64, write: Write) -> Command {
    let owner = Owner { id: id(name), session, run, v };
    Command::Own(OwnerWrite { request: RequestId::generate(), owner, write })
}

/// Carries out one command.
pub(super) async fn one(store: &SqliteStore, command: Command) -> Reply {
    let replies = store.execute(0, vec![command]).await.expect("it is carried out");
    let [reply] = <[Reply; 1]>::try_from(replies).expect("one reply");
    reply
}

pub(super) async fn given(store: &SqliteStore, command: Command) -> Vec<Claimed> {
    match one(store, command).await {
        Reply::Claim(ClaimReply::Given { instances, .. }) => instances,
        other => panic!("{other:?}"),
    }
}

/// The state version after a write that is accepted.
pub(super) async fn accepted(store: &SqliteStore, command: Command) -> u64 {
    match one(store, command).await {
        Reply::Own(OwnReply::Ok(granted)) => granted.v,
        other => panic!("{other:?}"),
    }
}

/// Everything is consistent.
pub(super) async fn sound(store: &SqliteStore) {
    let wrong = found(store).await;
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What is wrong, but for records: those of these tests are words, which nobody decodes; and but for families, which they
/// invent.
pub(super) async fn found(store: &SqliteStore) -> Vec<String> {
    let findings = store.fsck().await.expect("it can be read").findings;
    findings
        .iter()
        .filter(|finding| ![Area::Record, Area::Family].contains(&finding.area))
        .map(ToString::to_string)
        .collect()
}
