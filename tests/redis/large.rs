//! Claims of much: an answer is bounded, and what it has no room for stays where it is.

use std::sync::Arc;

use support::redis::RedisServer;
use workflow::journal::command::{Claim, ClaimReply, Command, Create, Reply, Send};
use workflow::journal::message::{Channel, NewMessage};
use workflow::store::redis::RedisStore;
use workflow::store::{Hint, Store};
use workflow::words::id::{InstanceId, QueueName, WorkflowName};
use workflow::words::limits::CLAIM_BYTES_MAX;
use workflow::words::payload::Payload;

use super::stage::{LEASE, SESSION, create, once, open, own, runtime, start, waiting, write};

const MEBIBYTE: usize = 1024 * 1024;

fn large() -> Payload {
    Payload::from_bytes(vec![b'"'; MEBIBYTE])
}

async fn make_large(store: &RedisStore, id: &str) {
    let create = create(id);
    let mut spec = (*create.spec).clone();
    spec.input = large();
    once(store, Command::Create(Create { spec: Arc::new(spec), ..create })).await.expect("it is made");
}

async fn fill(store: &RedisStore, id: &str, messages: usize) {
    for number in 0..messages {
        let event_id = number.to_string().as_str().into();
        let message = NewMessage { channel: Channel::event("x", ""), event_id, payload: large() };
        let send = Send { id: InstanceId::new(id).expect("valid"), run: None, message };
        once(store, Command::Send(send)).await.expect("it is taken");
    }
}

/// The ids that a claim gives.
async fn claim(store: &RedisStore, number: u64) -> Vec<String> {
    let claim = Claim {
        session: SESSION,
        number,
        limit: 128,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
        quotas: Vec::new(),
        limits: Vec::new(),
    };
    match once(store, Command::Claim(claim)).await.expect("it works") {
        Reply::Claim(ClaimReply::Given { instances, .. }) => {
            instances.into_iter().map(|one| one.id.as_str().to_owned()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_brings_no_more_than_can_arrive_and_says_that_there_is_more() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        once(&store, Command::OpenSession { session: SESSION, lease: LEASE }).await.expect("it opens");
        for number in 0..6 {
            make_large(&store, &format!("i{number}")).await;
        }
        let mut hints = store.hints();
        let first = claim(&store, 1).await;
        assert_eq!(first.len() as u64, CLAIM_BYTES_MAX / MEBIBYTE as u64);
        let more = Hint::Ready(QueueName::new("default").expect("valid"));
        assert_eq!(hints.recv().await.expect("the store lives").hint, more);
        assert_eq!(claim(&store, 1).await, first, "a repeat is given the same");
        assert_eq!(claim(&store, 2).await, ["i4", "i5"]);
    });
}

#[test]
fn what_is_larger_than_a_claim_brings_is_given_alone() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        once(&store, Command::OpenSession { session: SESSION, lease: LEASE }).await.expect("it opens");
        for id in ["a", "b", "c"] {
            once(&store, Command::Create(create(id))).await.expect("it is made");
        }
        fill(&store, "b", 6).await;
        assert_eq!(claim(&store, 1).await, ["a"]);
        assert_eq!(claim(&store, 2).await, ["b"]);
        assert_eq!(claim(&store, 3).await, ["c"]);
    });
}

#[test]
fn of_what_was_woken_a_claim_brings_no_more_than_can_arrive_either() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        for number in 0..6 {
            let owner = start(&store, &format!("i{number}")).await;
            own(&store, &owner, write(Vec::new(), waiting(None))).await;
            fill(&store, owner.id.as_str(), 1).await;
        }
        let mut hints = store.hints();
        let first = claim(&store, 1).await;
        // A message takes some bytes besides its payload.
        assert_eq!(first, ["i0", "i1", "i2"]);
        assert_eq!(hints.recv().await.expect("the store lives").hint, Hint::Inbox(SESSION));
        assert_eq!(claim(&store, 2).await, ["i3", "i4", "i5"]);
    });
}
