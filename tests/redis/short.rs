//! What goes the short way is answered by one call of a script; what cannot takes a second one, the long way, which
//! decides.

use std::sync::Arc;

use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Command, Control, Create, CreateReply, Ending, InstanceSpec, OwnReply, Owner, Parent, ParentClose, Reply,
    Then,
};
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, RequestId};
use workflow::words::payload::Payload;

use super::stage::{
    LEASE, SESSION, create, event, in_the_end, once, open, own, record, runtime, scripts_run, start, write,
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
