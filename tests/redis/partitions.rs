//! A namespace in several partitions: each is asked on its own, and reads see all of them as one.

use std::time::Duration;

use support::redis::RedisServer;
use workflow::journal::command::{Action, Claim, ClaimReply, Command, Control, Reply};
use workflow::store::redis::RedisStore;
use workflow::store::{Beat, ListQuery, Store};
use workflow::words::id::{InstanceId, QueueName, RequestId, WorkflowName};

use super::stage::{LEASE, SESSION, create, open, runtime};

const PARTITIONS: usize = 3;
const INSTANCES: usize = 30;

fn id(number: usize) -> InstanceId {
    InstanceId::new(format!("i{number:02}")).expect("valid")
}

async fn to(store: &RedisStore, partition: usize, command: Command) -> Reply {
    store.execute(partition, vec![command]).await.expect("it is carried out").remove(0)
}

async fn to_all(store: &RedisStore, command: Command) -> Vec<Reply> {
    let mut replies = Vec::new();
    for partition in 0..PARTITIONS {
        replies.push(to(store, partition, command.clone()).await);
    }
    replies
}

/// A store in which each partition has some instances.
async fn spread(server: &RedisServer) -> RedisStore {
    let store = open(&format!("{}?partitions={PARTITIONS}", server.url())).await.expect("it opens");
    to_all(&store, Command::OpenSession { session: SESSION, lease: LEASE }).await;
    for number in 0..INSTANCES {
        let id = id(number);
        to(&store, store.partition_of(&id), Command::Create(create(id.as_str()))).await;
    }
    store
}

/// The ids that one partition gives.
async fn claim(store: &RedisStore, partition: usize) -> Vec<InstanceId> {
    let claim = Claim {
        session: SESSION,
        number: 1,
        limit: INSTANCES,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
    };
    match to(store, partition, Command::Claim(claim)).await {
        Reply::Claim(ClaimReply::Given { instances, .. }) => instances.into_iter().map(|one| one.id).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_gives_what_is_its_own_and_together_they_give_all() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = spread(&server).await;
        assert_eq!(store.overview().await.expect("it reads").ready, INSTANCES as u64);
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            let given = claim(&store, partition).await;
            assert!(!given.is_empty(), "partition {partition} has some");
            assert!(given.iter().all(|id| store.partition_of(id) == partition));
            all.extend(given);
        }
        all.sort();
        assert_eq!(all, (0..INSTANCES).map(id).collect::<Vec<_>>());
        let overview = store.overview().await.expect("it reads");
        assert_eq!((overview.ready, overview.held), (0, INSTANCES as u64));
        let taken =
            to_all(&store, Command::CloseSession { session: SESSION }).await.into_iter().map(|reply| match reply {
                Reply::Count { done, .. } => done,
                other => panic!("{other:?}"),
            });
        assert_eq!(taken.sum::<usize>(), INSTANCES);
    });
}

#[test]
fn a_list_is_one_list_in_pages() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = spread(&server).await;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (workflow, state, created_from, created_to) = (None, None, None, None);
            let query = ListQuery { workflow, state, created_from, created_to, after, ..ListQuery::newest(7) };
            let page = store.list(query).await.expect("it reads");
            found.extend(page.rows.into_iter().map(|row| (row.created_at, row.id)));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(found.is_sorted_by(|one, other| one > other), "newest first: {found:?}");
        assert_eq!(found.len(), INSTANCES);
    });
}

#[test]
fn a_session_beats_in_all_and_is_fenced_by_the_loss_of_one() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = spread(&server).await;
        let mut heart = store.heart().expect("a heart");
        assert_eq!(heart.beat(SESSION, Duration::from_millis(1)).expect("it beats"), Beat::Alive);
        let sessions = store.sessions().await.expect("they are read");
        assert_eq!(
            sessions.iter().map(|view| (view.session, view.beats, view.revoked)).collect::<Vec<_>>(),
            [(SESSION, 1, false)]
        );
        support::wait::until("the lease to be over", async || {
            let fence = Command::Fence { session: SESSION, beats: 1 };
            (to(&store, 1, fence).await == Reply::Fence(true)).then_some(())
        })
        .await;
        assert_eq!(heart.beat(SESSION, LEASE).expect("it is answered"), Beat::Fenced);
        let sessions = store.sessions().await.expect("they are read");
        assert!(!sessions[0].revoked, "there is something left to revoke");
    });
}

#[test]
fn an_instance_is_where_its_id_says() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = spread(&server).await;
        for number in 0..INSTANCES {
            let id = id(number);
            assert!(store.inspect(id.clone()).await.expect("it reads").is_some());
            assert_eq!(store.journal(id.clone(), 1, 0).await.expect("it reads"), Some(Vec::new()));
            let action = Action::Terminate { reason: "no".to_owned() };
            let control = Control { request: RequestId::generate(), id: id.clone(), run: None, action };
            to(&store, store.partition_of(&id), Command::Control(control)).await;
        }
        assert_eq!(store.overview().await.expect("it reads").terminated, INSTANCES as u64);
    });
}
