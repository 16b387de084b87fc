//! An instance that is damaged, or whose hash is gone, stands where commands for many look: those beside it are served,
//! and it is in nobody's way a second time.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use support::redis::RedisServer;
use tracing::subscriber::DefaultGuard;
use workflow::journal::command::{
    Action, Claim, ClaimReply, Claimed, Command, Control, Create, Ending, InstanceSpec, OwnReply, Owner, OwnerWrite,
    Parent, ParentClose, Reply, Then, Wait,
};
use workflow::journal::head::Place;
use workflow::journal::lease::LimitName;
use workflow::journal::message::Channel;
use workflow::journal::path::{Kind, Path};
use workflow::store::redis::RedisStore;
use workflow::store::{Store, StoreError};
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::{Clock, ManualClock, Timestamp};

use super::log::Log;
use super::stage::{LEASE, SESSION, create, event, once, runtime, write};

const BAD: &str = "wf:{links:0}:i:bad";
/// In the order in which commands for many meet them.
const ALL: [&str; 3] = ["a-good", "bad", "c-good"];
const GOOD: [&str; 2] = ["a-good", "c-good"];

/// What happened to it: commands an operator could have given.
const HARM: [&[&str]; 5] = [
    &["HSET", BAD, "h", "short"],
    &["HSET", BAD, "h", "\u{4}begins as what is held"],
    &["HDEL", BAD, "m"],
    &["DEL", BAD],
    &["SET", BAD, "another type"],
];

struct Bench {
    server: RedisServer,
    store: RedisStore,
    clock: Arc<ManualClock>,
    claims: u64,
    log: Log,
    _listening: DefaultGuard,
    /// It is gone, and not damaged.
    gone: Cell<bool>,
}

impl Bench {
    async fn new() -> Self {
        let server = RedisServer::start();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000)));
        let held: Arc<dyn Clock> = clock.clone();
        let namespace = Namespace::new("links").expect("valid");
        let store = RedisStore::open_with(&server.url(), &namespace, Some(held)).await.expect("it opens");
        let log = Log::default();
        let listening = log.listen();
        let bench = Self { server, store, clock, claims: 0, log, _listening: listening, gone: Cell::new(false) };
        bench.tell(Command::OpenSession { session: SESSION, lease: LEASE }).await;
        bench
    }

    async fn tell(&self, command: Command) -> Reply {
        once(&self.store, command).await.expect("it is carried out")
    }

    /// Makes the three, one millisecond after the other.
    async fn make(&self, change: impl Fn(&mut InstanceSpec)) {
        for id in ALL {
            let create = create(id);
            let mut spec = (*create.spec).clone();
            change(&mut spec);
            self.tell(Command::Create(Create { spec: Arc::new(spec), ..create })).await;
            self.clock.advance(Duration::from_millis(1));
        }
    }

    async fn ask(&self, number: u64, limit: usize) -> (Vec<Claimed>, Vec<InstanceId>) {
        let claim = Claim { number, limit, ..claim_of("order") };
        match self.tell(Command::Claim(claim)).await {
            Reply::Claim(ClaimReply::Given { instances, notices, .. }) => (instances, notices),
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&mut self) -> Vec<Owner> {
        self.claims += 1;
        let (given, _) = self.ask(self.claims, 10).await;
        given.into_iter().map(|one| Owner { id: one.id, session: SESSION, run: one.run, v: one.v }).collect()
    }

    async fn own(&self, owner: Owner, then: Then) {
        let own = OwnerWrite { request: RequestId::generate(), owner, write: write(Vec::new(), then) };
        let reply = self.tell(Command::Own(own)).await;
        assert!(matches!(reply, Reply::Own(OwnReply::Ok(_))), "{reply:?}");
    }

    async fn count(&self, command: Command) -> (usize, Option<Timestamp>) {
        match self.tell(command).await {
            Reply::Count { done, next_due } => (done, next_due),
            other => panic!("{other:?}"),
        }
    }

    fn harm(&self, how: &[&str]) {
        if how[0] == "SET" {
            self.server.command(&["DEL", BAD]);
        }
        self.gone.set(how[0] == "DEL");
        self.server.command(how);
    }

    /// Whoever met it said that it is damaged, unless it is gone.
    fn is_told(&self) {
        let said = self.log.lines();
        assert_ne!(self.gone.get(), said.iter().any(|line| line.contains("damaged")), "{said:?}");
    }

    /// No index of places names it any more. What is gone was not taken for damaged.
    fn is_in_nobodys_way(&self, indexes: &[&str]) {
        let said = self.log.lines();
        assert!(!self.gone.get() || !said.iter().any(|line| line.contains("damaged")), "{said:?}");
        for index in indexes {
            let key = format!("wf:{{links:0}}:{index}");
            let members: Vec<Vec<u8>> =
                redis::from_redis_value(self.server.command(&["ZRANGE", &key, "0", "-1"])).expect("members");
            let found = members.iter().any(|member| member.windows(3).any(|part| part == b"bad"));
            assert!(!found, "{index} still names it");
        }
    }

    async fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for id in GOOD {
            let found = self.store.inspect(InstanceId::new(id).expect("valid")).await.expect("it reads");
            places.push(found.expect("it is there").head.place);
        }
        places
    }
}

/// The claim of a worker that knows one workflow.
fn claim_of(workflow: &str) -> Claim {
    Claim {
        session: SESSION,
        number: 1,
        limit: 10,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: vec![(WorkflowName::new(workflow).expect("valid"), 1)].into(),
        quotas: Vec::new(),
        limits: Vec::new(),
    }
}

fn ids(owners: &[Owner]) -> Vec<&str> {
    owners.iter().map(|owner| owner.id.as_str()).collect()
}

fn wait(due: Option<Timestamp>) -> Then {
    let path = Path::root().join(Kind::Wait, "w", None, 0);
    let wait = Wait { path, channel: Some(Channel::event("x", "")), due, shifts: true };
    Then::Suspend { waits: vec![wait], paused: false }
}

/// A claim takes it for what others were faster with, and looks again soon.
#[test]
fn an_entry_of_what_is_held_already_is_met_once() {
    runtime().block_on(async {
        let mut bench = Bench::new().await;
        bench.make(|_| {}).await;
        bench.server.command(&["COPY", "wf:{links:0}:ready", "saved"]);
        assert_eq!(bench.claim().await.len(), ALL.len());
        bench.server.command(&["RENAME", "saved", "wf:{links:0}:ready"]);
        for left in (0..ALL.len()).rev() {
            assert_eq!(bench.claim().await, []);
            let counted = bench.server.command(&["ZCARD", "wf:{links:0}:ready"]);
            assert_eq!(redis::from_redis_value::<usize>(counted).expect("a number"), left);
        }
        assert_eq!(bench.log.lines(), [""; 0], "nothing is damaged");
    });
}

#[test]
fn at_the_head_of_what_is_ready() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            bench.harm(how);
            assert_eq!(ids(&bench.claim().await), GOOD, "{how:?}");
            bench.is_told();
            bench.is_in_nobodys_way(&["ready", "held", "shelf"]);
            assert_eq!(bench.store.overview().await.expect("it reads").ready, 0);
        });
    }
}

#[test]
fn among_what_no_worker_knows() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|spec| spec.version = 2).await;
            bench.harm(how);
            assert_eq!(ids(&bench.claim().await), [""; 0], "{how:?}");
            bench.is_in_nobodys_way(&["ready", "shelf"]);
            assert_eq!(bench.places().await, [Place::Shelved, Place::Shelved]);
        });
    }
}

#[test]
fn on_a_shelf() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            bench.claims += 1;
            let claim = Claim { number: bench.claims, ..claim_of("other") };
            bench.tell(Command::Claim(claim)).await;
            bench.harm(how);
            assert_eq!(ids(&bench.claim().await), GOOD, "{how:?}");
            bench.is_in_nobodys_way(&["shelf"]);
        });
    }
}

#[test]
fn at_the_head_of_the_timers() {
    for how in HARM {
        runtime().block_on(async {
            let bench = Bench::new().await;
            let start = bench.clock.now().shifted(1_000);
            bench.make(|spec| spec.start_at = Some(start)).await;
            bench.harm(how);
            bench.clock.advance(Duration::from_secs(2));
            assert_eq!(bench.count(Command::WakeDue { limit: 10 }).await, (2, None), "{how:?}");
            bench.is_in_nobodys_way(&["timers", "later"]);
        });
    }
}

#[test]
fn an_entry_of_the_timers_wakes_nothing_that_does_not_sleep() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        bench.make(|_| {}).await;
        for id in ALL {
            bench.server.command(&["ZADD", "wf:{links:0}:timers", "1", id]);
        }
        assert_eq!(bench.count(Command::WakeDue { limit: 10 }).await, (0, None));
        for id in ALL {
            let there = bench.store.inspect(InstanceId::new(id).expect("valid")).await.expect("it answers");
            assert!(matches!(there.expect("it is there").head.place, Place::Ready { .. }), "{id}");
        }
        assert_eq!(bench.server.command(&["ZCARD", "wf:{links:0}:timers"]), redis::Value::Int(0));
    });
}

#[test]
fn at_the_head_of_what_is_due_a_hundred_times() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        for number in 0..100 {
            let member = format!("gone-{number}");
            bench.server.command(&["ZADD", "wf:{links:0}:timers", "1", &member]);
            bench.server.command(&["ZADD", "wf:{links:0}:errored", "1", &member]);
        }
        let due = bench.clock.now().shifted(10);
        bench.make(|spec| spec.start_at = Some(due)).await;
        bench.clock.advance(Duration::from_secs(1));
        bench.count(Command::WakeDue { limit: 100 }).await;
        assert_eq!(bench.count(Command::WakeDue { limit: 100 }).await, (3, None));
        bench.count(Command::Expire { limit: 100 }).await;
        assert_eq!(bench.store.overview().await.expect("it reads").done(), 0);
    });
}

#[test]
fn in_inboxes_that_nobody_empties() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = woken().await;
            bench.harm(how);
            bench.clock.advance(Duration::from_secs(2));
            let unstick = Command::Unstick { older_than: Duration::from_secs(1), limit: 10 };
            assert_eq!(bench.count(unstick).await.0, 2, "{how:?}");
            bench.is_in_nobodys_way(&["inbox", "ready"]);
            assert_eq!(ids(&bench.claim().await), GOOD);
        });
    }
}

#[test]
fn in_an_inbox() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = woken().await;
            bench.harm(how);
            assert_eq!(ids(&bench.claim().await), GOOD, "{how:?}");
            bench.is_in_nobodys_way(&["inbox"]);
        });
    }
}

#[test]
fn in_an_inbox_out_of_which_it_goes_as_no_token_is_left() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = woken().await;
            bench.harm(how);
            bench.claims += 1;
            let order = LimitName::Workflow(WorkflowName::new("order").expect("valid"));
            let claim = Claim { number: bench.claims, limits: vec![(order, 0)], ..claim_of("order") };
            bench.tell(Command::Claim(claim)).await;
            bench.is_in_nobodys_way(&["inbox", "ready"]);
            let ready = bench.places().await;
            assert!(ready.iter().all(|place| matches!(place, Place::Ready { .. })), "{how:?}: {ready:?}");
        });
    }
}

/// Three that were woken for the session.
async fn woken() -> Bench {
    let mut bench = Bench::new().await;
    bench.make(|_| {}).await;
    for owner in bench.claim().await {
        bench.own(owner, wait(None)).await;
    }
    for id in ALL {
        bench.tell(event(id, "e1")).await;
    }
    bench
}

#[test]
fn among_what_was_kept_long_enough() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            for owner in bench.claim().await {
                bench.own(owner, Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) })).await;
            }
            bench.harm(how);
            bench.clock.advance(Duration::from_secs(61));
            let done = bench.count(Command::Expire { limit: 10 }).await.0;
            // Without what it is its name in the list of all is not known, else nothing is needed to delete it.
            assert_eq!(done, 2, "{how:?}");
            bench.is_in_nobodys_way(&["complete"]);
            assert_eq!(bench.store.overview().await.expect("it reads").done(), 0);
        });
    }
}

#[test]
fn among_old_runs() {
    for how in [&["DEL", BAD][..], &["HSET", BAD, "a", "short"], &["SET", BAD, "another type"]] {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            for owner in bench.claim().await {
                let id = owner.id.clone();
                bench.own(owner, Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) })).await;
                let action = Action::Restart;
                bench.tell(Command::Control(Control { request: RequestId::generate(), id, run: None, action })).await;
            }
            bench.harm(how);
            bench.clock.advance(Duration::from_secs(61));
            assert_eq!(bench.count(Command::Expire { limit: 10 }).await.0, 2, "{how:?}");
            bench.is_in_nobodys_way(&["old"]);
        });
    }
}

#[test]
fn in_the_hands_of_a_worker_that_is_gone() {
    for how in HARM {
        for closes in [true, false] {
            runtime().block_on(async {
                let mut bench = Bench::new().await;
                bench.make(|_| {}).await;
                bench.claim().await;
                bench.harm(how);
                let end = if closes {
                    Command::CloseSession { session: SESSION }
                } else {
                    bench.clock.advance(LEASE * 2);
                    bench.tell(Command::Fence { session: SESSION, beats: 0 }).await;
                    Command::Recover { session: SESSION, limit: 10 }
                };
                let ended = tokio::time::timeout(support::wait::PATIENCE, bench.count(end)).await;
                assert_eq!(ended.expect("it comes to an end").0, 2, "{how:?}");
                bench.is_in_nobodys_way(&["held"]);
                assert_eq!(bench.store.sessions().await.expect("they are read"), [], "nothing is left of it");
            });
        }
    }
}

#[test]
fn in_the_inbox_of_a_worker_that_is_gone() {
    for how in HARM {
        runtime().block_on(async {
            let bench = woken().await;
            bench.harm(how);
            let ended = bench.count(Command::CloseSession { session: SESSION });
            let ended = tokio::time::timeout(support::wait::PATIENCE, ended).await;
            assert_eq!(ended.expect("it comes to an end").0, 2, "{how:?}");
            bench.is_in_nobodys_way(&["inbox"]);
        });
    }
}

#[test]
fn with_a_notice_for_its_owner() {
    for how in HARM {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            bench.claim().await;
            for id in ALL {
                bench.tell(event(id, "e1")).await;
            }
            bench.harm(how);
            let (given, notices) = bench.ask(2, 10).await;
            let told: Vec<&str> = notices.iter().map(InstanceId::as_str).collect();
            assert!(given.is_empty());
            // That of which only the spec is gone can still be told.
            assert!(GOOD.iter().all(|id| told.contains(id)), "{how:?}: {told:?}");
            bench.is_in_nobodys_way(&["notes"]);
        });
    }
}

#[test]
fn before_a_claim_that_is_repeated() {
    for how in HARM {
        runtime().block_on(async {
            let bench = Bench::new().await;
            bench.make(|_| {}).await;
            let (first, _) = bench.ask(1, 10).await;
            assert_eq!(first.len(), 3);
            bench.harm(how);
            let (again, notices) = bench.ask(1, 10).await;
            let again: Vec<&str> = again.iter().map(|one| one.id.as_str()).collect();
            assert_eq!(again, GOOD, "{how:?}");
            assert_eq!(notices.len(), 1, "{how:?}: {notices:?}");
        });
    }
}

/// What only a worker reads is damaged: the script gives it, and it is put aside until someone has repaired it.
#[test]
fn what_a_worker_cannot_read_is_paused_and_can_be_repaired() {
    for (field, bad) in [("b", "short"), ("i", ""), ("m", "\0\0\0\u{1}\0")] {
        runtime().block_on(async {
            let mut bench = Bench::new().await;
            bench.make(|_| {}).await;
            let before = bench.server.command(&["HGET", BAD, field]);
            if bad.is_empty() {
                bench.server.command(&["HDEL", BAD, field]);
            } else {
                bench.server.command(&["HSET", BAD, field, bad]);
            }
            assert_eq!(ids(&bench.claim().await), GOOD, "{field}");
            assert_eq!(ids(&bench.claim().await), [""; 0], "{field}");
            let damaged = bench.store.inspect(InstanceId::new("bad").expect("valid")).await;
            assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
            if field == "m" {
                return;
            }
            let redis::Value::BulkString(value) = before else { panic!("it was there") };
            let mut connection = bench.server.connect().expect("it answers");
            redis::cmd("HSET").arg(BAD).arg(field).arg(value).exec(&mut connection).expect("it is written");
            let id = InstanceId::new("bad").expect("valid");
            let action = Action::Resume;
            bench.tell(Command::Control(Control { request: RequestId::generate(), id, run: None, action })).await;
            assert_eq!(ids(&bench.claim().await), ["bad"], "{field}");
        });
    }
}

#[test]
fn at_the_head_of_the_outbox() {
    runtime().block_on(async {
        let mut bench = Bench::new().await;
        bench.make(|spec| spec.parent = Some(parent())).await;
        for owner in bench.claim().await {
            bench.own(owner, Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) })).await;
        }
        bench.server.command(&["DEL", BAD, "wf:{links:0}:i:a-good"]);
        let later = bench.clock.now().shifted(1_000);
        let pending = support::wait::until("what is pending", async || {
            let found = bench.store.outbox(later, 1).await.expect("it reads");
            found.into_iter().next()
        });
        assert_eq!(pending.await.source.as_str(), "c-good");
        bench.is_in_nobodys_way(&["out"]);
    });
}

fn parent() -> Parent {
    Parent { id: InstanceId::new("parent").expect("valid"), run: 1, on_close: ParentClose::Terminate }
}

/// A claim that reads messages it cannot read has changed nothing of that instance.
#[test]
fn with_a_mailbox_of_another_type() {
    runtime().block_on(async {
        let mut bench = woken().await;
        bench.server.command(&["DEL", "wf:{links:0}:m:bad"]);
        bench.server.command(&["SET", "wf:{links:0}:m:bad", "text"]);
        assert_eq!(ids(&bench.claim().await), GOOD);
        let found = bench.store.inspect(InstanceId::new("bad").expect("valid")).await.expect("it reads");
        let place = found.expect("it is there").head.place;
        assert!(!matches!(place, Place::Held { session: SessionId(_), .. }), "nobody holds it: {place:?}");
    });
}
