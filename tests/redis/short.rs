//! What goes the short way is answered by one call of a script; what cannot takes a second one, the long way, which
//! decides.

use std::sync::Arc;

use support::redis::RedisServer;
use support::wait::until;
use workflow::State;
use workflow::journal::command::{
    Action, Claim, ClaimReply, Claimed, Command, Control, Create, CreateReply, Ending, InstanceSpec, OwnReply, Owner,
    Parent, ParentClose, Reply, Send, SendReply, Then,
};
use workflow::journal::head::Place;
use workflow::store::Store as _;
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use super::stage::{
    LEASE, SESSION, create, event, in_the_end, once, open, own, record, runtime, scripts_run, start, waiting, write,
};

struct Asked {
    server: RedisServer,
    store: RedisStore,
}

impl Asked {
    async fn new() -> Self {
        let server = RedisServer::start();
        let store = open(&server.url()).await.expect("it opens");
        // The server knows the script from here on.
        once(&store, Command::OpenSession { session: SESSION, lease: LEASE }).await.expect("it opens");
        Self { server, store }
    }

    /// How many calls of scripts something takes, and what came of it.
    async fn calls<T>(&self, of: impl Future<Output = T>) -> (usize, T) {
        let before = scripts_run(&self.server);
        let came = of.await;
        (scripts_run(&self.server) - before, came)
    }

    async fn create(&self, create: Create) -> (usize, CreateReply) {
        match self.calls(once(&self.store, Command::Create(create))).await {
            (calls, Ok(Reply::Create(reply))) => (calls, reply),
            (_, other) => panic!("not the answer to a create: {other:?}"),
        }
    }

    /// Appends a record, and learns the state version.
    async fn append(&self, owner: &mut Owner) -> (usize, OwnReply) {
        let (calls, reply) = self.calls(own(&self.store, owner, write(vec![record(1)], Then::Hold))).await;
        if let OwnReply::Ok(granted) = &reply {
            owner.v = granted.v;
        }
        (calls, reply)
    }

    async fn end(&self, owner: &Owner, records: usize) -> (usize, OwnReply) {
        let ending = Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
        self.calls(own(&self.store, owner, write(vec![record(1); records], ending))).await
    }
}

/// The owner of what was started in the session of these tests.
fn held(reply: CreateReply) -> Owner {
    match reply {
        CreateReply::Created { claimed: Some(claimed) } => {
            Owner { id: claimed.id, session: SESSION, run: claimed.run, v: claimed.v }
        }
        other => panic!("it was not started: {other:?}"),
    }
}

fn is_ok(reply: &OwnReply) -> bool {
    matches!(reply, OwnReply::Ok(granted) if granted.messages.is_empty())
}

#[test]
fn an_undisturbed_instance_is_made_written_and_ended_by_one_call_each() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        for records in 0..3 {
            let started = Create { local: Some(SESSION), ..create(&format!("local-{records}")) };
            let (calls, reply) = asked.create(started).await;
            let mut owner = held(reply);
            assert_eq!(calls, 1);
            let (calls, reply) = asked.append(&mut owner).await;
            assert!(calls == 1 && is_ok(&reply), "{calls}: {reply:?}");
            let (calls, reply) = asked.end(&owner, records).await;
            assert!(calls == 1 && is_ok(&reply), "{calls}: {reply:?}");
        }
        let (calls, reply) = asked.create(create("queued")).await;
        assert_eq!((calls, reply), (1, CreateReply::Created { claimed: None }));
    });
}

#[test]
fn what_is_there_is_found_by_a_second_call() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let first = create("a");
        asked.create(first.clone()).await;
        assert_eq!(asked.create(first).await, (2, CreateReply::Created { claimed: None }), "it is the same request");
        let (calls, reply) = asked.create(create("a")).await;
        assert!(calls == 2 && matches!(reply, CreateReply::Exists { .. }), "{calls}: {reply:?}");
    });
}

#[test]
fn a_message_a_pause_and_an_owner_out_of_date_take_a_second_call() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let mut owner = start(&asked.store, "told").await;
        in_the_end(&asked.store, &event("told", "e1")).await;
        let (calls, reply) = asked.append(&mut owner).await;
        assert!(
            calls == 2 && matches!(&reply, OwnReply::Ok(granted) if granted.messages.len() == 1),
            "{calls}: {reply:?}"
        );

        let mut owner = start(&asked.store, "paused").await;
        let (request, id) = (RequestId::generate(), owner.id.clone());
        in_the_end(&asked.store, &Command::Control(Control { request, id, run: None, action: Action::Pause })).await;
        let (calls, reply) = asked.append(&mut owner).await;
        assert!(calls == 2 && matches!(&reply, OwnReply::Ok(granted) if granted.pause), "{calls}: {reply:?}");

        let mut owner = start(&asked.store, "stale").await;
        let mut late = owner.clone();
        asked.append(&mut owner).await;
        assert_eq!(asked.append(&mut late).await, (2, OwnReply::Stale));
        assert_eq!(asked.end(&late, 0).await, (2, OwnReply::Stale));
    });
}

#[test]
fn the_end_of_a_child_takes_a_second_call_which_tells_its_parent() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        start(&asked.store, "parent").await;
        let id = InstanceId::new("parent").expect("valid");
        let parent = Some(Parent { id, run: 256, on_close: ParentClose::Terminate });
        let child = create("child");
        let spec = InstanceSpec { parent, ..(*child.spec).clone() };
        let child = Create { spec: Arc::new(spec), local: Some(SESSION), ..child };
        let owner = held(asked.create(child).await.1);
        let (calls, reply) = asked.end(&owner, 0).await;
        assert!(calls == 2 && is_ok(&reply), "{calls}: {reply:?}");
        let outgoing = asked.server.command(&["ZCARD", "wf:{links:0}:out"]);
        assert_eq!(outgoing, redis::Value::Int(1));
    });
}

impl Asked {
    async fn suspend(&self, owner: &Owner, records: usize, due: Option<Timestamp>) -> (usize, OwnReply) {
        self.calls(own(&self.store, owner, write(vec![record(1); records], waiting(due)))).await
    }

    /// Claims all there is for the session of these tests.
    async fn claim(&self, number: u64) -> Vec<Claimed> {
        let claim = Claim {
            number,
            session: SESSION,
            limit: 10,
            queues: [QueueName::new("default").expect("valid")].into(),
            known: [(WorkflowName::new("order").expect("valid"), 1)].into(),
            quotas: Vec::new(),
            limits: Vec::new(),
        };
        match once(&self.store, Command::Claim(claim)).await {
            Ok(Reply::Claim(ClaimReply::Given { instances, .. })) => instances,
            other => panic!("not the answer to a claim: {other:?}"),
        }
    }
}

#[test]
fn an_undisturbed_instance_waits_by_one_call_and_goes_on_as_it_was() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        for (number, records) in (1..).zip(0..3) {
            let id = format!("waits-{records}");
            let mut owner = start(&asked.store, &id).await;
            asked.append(&mut owner).await;
            let (calls, reply) = asked.suspend(&owner, records, None).await;
            assert!(calls == 1 && is_ok(&reply), "{calls}: {reply:?}");
            let before = asked.store.inspect(owner.id.clone()).await.expect("it answers").expect("it is there");
            assert_eq!(
                (before.head.state(), before.head.records),
                (State::Waiting, 1 + u32::try_from(records).expect("few"))
            );
            // Its owner has written last.
            assert_eq!(asked.suspend(&owner, 0, None).await, (2, OwnReply::Stale));
            in_the_end(&asked.store, &event(&id, "e1")).await;
            in_the_end(&asked.store, &event(&id, "e1")).await;
            let woken = asked.claim(number).await.remove(0);
            assert_eq!((woken.id.as_str(), woken.records, woken.arrivals), (&*id, before.head.records, 1));
            assert_eq!(woken.granted.messages.len(), 1);
            assert!(woken.v > before.head.v);
        }
    });
}

#[test]
fn what_sleeps_by_one_call_is_woken_when_it_is_due_and_not_before() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let wake = || in_the_end(&asked.store, &Command::WakeDue { limit: 10 });
        let owner = start(&asked.store, "sleeps").await;
        let due = asked.store.now().await.expect("it answers").shifted(60_000);
        let (calls, reply) = asked.suspend(&owner, 1, Some(due)).await;
        assert!(calls == 1 && is_ok(&reply), "{calls}: {reply:?}");
        assert_eq!(wake().await, Reply::Count { done: 0, next_due: Some(due) });

        let owner = start(&asked.store, "naps").await;
        let due = asked.store.now().await.expect("it answers").shifted(30);
        let (calls, _) = asked.suspend(&owner, 0, Some(due)).await;
        assert_eq!(calls, 1);
        until("it is due", async || (asked.store.now().await.ok()? >= due).then_some(())).await;
        assert!(matches!(wake().await, Reply::Count { done: 1, .. }));
        let woken = asked.claim(1).await.remove(0);
        assert_eq!((woken.id.as_str(), woken.granted.messages.len()), ("naps", 0));
        assert_eq!(asked.claim(2).await, Vec::new());
        let (calls, reply) = asked.end(&Owner { v: woken.v, ..owner }, 1).await;
        assert!(calls == 1 && is_ok(&reply), "what slept is as it was: {calls}: {reply:?}");
    });
}

#[test]
fn what_need_not_wait_goes_on_after_a_second_call() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let goes_on = |reply: &OwnReply| matches!(reply, OwnReply::Continue(_));
        let owner = start(&asked.store, "late").await;
        let passed = asked.store.now().await.expect("it answers").shifted(-1);
        let (calls, reply) = asked.suspend(&owner, 0, Some(passed)).await;
        assert!(calls == 2 && goes_on(&reply), "{calls}: {reply:?}");

        let owner = start(&asked.store, "told").await;
        in_the_end(&asked.store, &event("told", "e1")).await;
        let (calls, reply) = asked.suspend(&owner, 0, None).await;
        assert!(calls == 2 && goes_on(&reply), "{calls}: {reply:?}");
    });
}

#[test]
fn a_message_for_another_run_wakes_nobody() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let owner = start(&asked.store, "rests").await;
        asked.suspend(&owner, 0, None).await;
        let Command::Send(send) = event("rests", "e1") else { panic!("an event is sent") };
        for (run, said) in [(2, SendReply::Unknown), (1, SendReply::Accepted)] {
            let send = Command::Send(Send { run: Some(run), ..send.clone() });
            assert_eq!(once(&asked.store, send).await.expect("it is answered"), Reply::Send(said), "{run}");
        }
        assert_eq!(asked.claim(1).await.remove(0).granted.messages.len(), 1);
    });
}

#[test]
fn what_was_woken_for_another_session_is_not_given() {
    runtime().block_on(async {
        let asked = Asked::new().await;
        let other = SessionId(8);
        once(&asked.store, Command::OpenSession { session: other, lease: LEASE }).await.expect("it opens");
        let owner = held(asked.create(Create { local: Some(other), ..create("theirs") }).await.1);
        let owner = Owner { session: other, ..owner };
        asked.suspend(&owner, 0, None).await;
        in_the_end(&asked.store, &event("theirs", "e1")).await;
        // Their entry, also under our name: as one that we looked at before it was theirs.
        let mut server = asked.server.connect().expect("it answers");
        let entries: Vec<Vec<u8>> =
            redis::cmd("ZRANGE").arg("wf:{links:0}:inbox").arg(0).arg(-1).query(&mut server).expect("entries");
        let ours = [&SESSION.0.to_be_bytes(), &entries[0][16..]].concat();
        let () = redis::cmd("ZADD").arg("wf:{links:0}:inbox").arg(0).arg(ours).query(&mut server).expect("it is put");
        assert_eq!(asked.claim(1).await, Vec::new());
        let there = asked.store.inspect(owner.id.clone()).await.expect("it answers").expect("it is there");
        assert!(matches!(there.head.place, Place::Inbox { session, .. } if session == other), "{there:?}");
    });
}
