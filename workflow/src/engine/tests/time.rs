//! What is known of the store's time: never wrong, whatever is lost on the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::faults::Faulty;
use super::stage::{LONG_LEASE, create};
use crate::authoring::run::StoreClock;
use crate::engine::commands::Commands;
use crate::engine::estimate::StoreTime;
use crate::engine::holding::nothing;
use crate::engine::host::Host;
use crate::engine::supervise::Supervisor;
use crate::journal::command::{Command, Create, CreateReply, OwnReply, Owner, OwnerWrite, Reply, Then};
use crate::store::Store;
use crate::store::model::ModelStore;
use crate::words::id::{RequestId, SessionId};
use crate::words::time::{Clock, Timestamp};

/// The paused time of the test's runtime.
#[derive(Debug)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000).after(self.0.elapsed())
    }
}

struct Scene {
    store: ModelStore,
    clock: Arc<Paused>,
    way: Arc<Faulty>,
    time: Arc<StoreTime>,
    commands: Commands,
    _supervisor: Supervisor,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(Paused(Instant::now()));
        let store = ModelStore::new(clock.clone());
        let way = Arc::new(Faulty::new(&store));
        let supervisor = Supervisor::new(Host::here());
        let time = Arc::new(StoreTime::new(Instant::now(), clock.now()));
        let commands = Commands::start(way.clone(), time.clone(), &supervisor);
        Self { store, clock, way, time, commands, _supervisor: supervisor }
    }

    /// What the owner of a new instance writes to hand it back. Its repeat is answered with the time of the first.
    fn write_of_an_owner(&self) -> OwnerWrite {
        let session = SessionId::generate();
        self.store.apply(&Command::OpenSession { session, lease: LONG_LEASE });
        let reply = self.store.apply(&Command::Create(Create { local: Some(session), ..create("one", "a") }));
        let Reply::Create(CreateReply::Created { claimed: Some(claimed) }) = reply else {
            panic!("it is handed over: {reply:?}")
        };
        let owner = Owner { id: claimed.id, session, run: claimed.run, v: claimed.v };
        OwnerWrite { request: RequestId::generate(), owner, write: nothing(Then::Release) }
    }

    fn assert_bounds_hold(&self) {
        let (earliest, latest) = self.time.bounds();
        let now = self.clock.now();
        assert!(earliest <= now && now <= latest, "{now:?} is not between {earliest:?} and {latest:?}");
    }
}

/// That the store answered with what it said at `then`.
fn assert_of(reply: &OwnReply, then: Timestamp) {
    assert!(matches!(reply, OwnReply::Ok(granted) if granted.now == then), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_resend_does_not_tell_the_time() {
    let scene = Scene::new();
    let write = scene.write_of_an_owner();
    scene.way.lose_replies.store(1, Ordering::SeqCst);
    let asked = scene.clock.now();
    let reply = scene.commands.own(write, false).await.expect("the store answers");
    assert_of(&reply, asked);
    assert!(scene.clock.now() > asked, "the resend comes later");
    scene.assert_bounds_hold();
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_repeated_request_does_not_tell_the_time() {
    let scene = Scene::new();
    let write = scene.write_of_an_owner();
    let asked = scene.clock.now();
    scene.store.apply(&Command::Own(write.clone()));
    tokio::time::advance(Duration::from_secs(1)).await;
    let reply = scene.commands.own(write, true).await.expect("the store answers");
    assert_of(&reply, asked);
    scene.assert_bounds_hold();
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_first_send_tells_the_time() {
    let scene = Scene::new();
    let write = scene.write_of_an_owner();
    // A store whose clock is ahead of what was known.
    scene.time.heard(Instant::now(), Timestamp::from_millis(1));
    scene.commands.own(write, false).await.expect("the store answers");
    scene.assert_bounds_hold();
    assert_eq!(scene.way.now().await.expect("the store answers"), scene.time.now());
}
