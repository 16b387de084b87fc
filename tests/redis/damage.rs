//! An instance whose fields were damaged: it alone is told, by name, and nothing that is not damaged suffers.

use std::sync::Arc;

use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Command, Control, Ending, InstanceSpec, Outgoing, OwnerWrite, Parent, ParentClose, Then, Write,
};
use workflow::store::redis::RedisStore;
use workflow::store::{Store, StoreError};
use workflow::words::id::{InstanceId, RequestId};
use workflow::words::payload::Payload;

use super::stage::{create, dump, made, make, once, open, record, runtime, start, write};

const DAMAGED: &str = "wf:{links:0}:i:bad";

fn control(id: &str, action: Action) -> Command {
    let id = InstanceId::new(id).expect("valid");
    Command::Control(Control { request: RequestId::generate(), id, run: None, action })
}

/// Damages the instance `bad` so, and sends it a control, in one batch with what is sound.
fn damaged(damage: &[&str]) {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "bad").await;
        make(&store, "good").await;
        server.command(damage);
        let before = dump(&server);
        let batch = vec![control("bad", Action::Pause), control("good", Action::Pause), Command::Create(create("new"))];
        let told = store.execute(0, batch).await;
        match told {
            Err(StoreError::Damaged { message, .. }) => assert!(message.starts_with("bad: "), "{damage:?}: {message}"),
            other => panic!("{damage:?}: {other:?}"),
        }
        assert_eq!(dump(&server).of(DAMAGED), before.of(DAMAGED), "{damage:?}: it is left as it is");
        others_are_sound(&store).await;
        let read = store.inspect(InstanceId::new("bad").expect("valid")).await;
        assert!(matches!(&read, Err(StoreError::Damaged { .. })), "{damage:?}: {read:?}");
    });
}

/// What stood in the batch beside it was carried out.
async fn others_are_sound(store: &RedisStore) {
    let overview = store.overview().await.expect("it reads");
    assert_eq!((overview.paused, overview.ready), (1, 2), "one paused, the damaged one and the new one ready");
    assert!(once(store, control("good", Action::Resume)).await.is_ok());
    assert_eq!(once(store, Command::Create(create("newer"))).await.expect("it works"), made());
}

#[test]
fn a_head_that_was_cut() {
    damaged(&["HSET", DAMAGED, "h", "short"]);
}

#[test]
fn a_head_with_something_at_its_end() {
    // The place of what is ready, the rest of what a head has at least, and half a session.
    let head = format!("{}{}{}", '\u{1}', "\0".repeat(41), "x".repeat(8));
    damaged(&["HSET", DAMAGED, "h", &head]);
}

#[test]
fn what_it_is_is_missing() {
    damaged(&["HDEL", DAMAGED, "m"]);
}

#[test]
fn what_it_is_was_cut() {
    damaged(&["HSET", DAMAGED, "m", "\u{0}"]);
}

#[test]
fn traffic_that_the_head_speaks_of_is_missing() {
    // The place of what is ready, with the flag; then what a head has at least.
    let head = format!("{}{}", '\u{11}', "\0".repeat(41));
    damaged(&["HSET", DAMAGED, "h", &head]);
}

/// What a command gathers before it meets damage is dropped with it: entries that led nowhere would be met for ever.
#[test]
fn a_command_that_fails_halfway_leaves_no_entry_in_any_index() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let owner = start(&store, "bad").await;
        server.command(&["HDEL", DAMAGED, "m"]);
        let before = dump(&server);
        let child = InstanceId::new("child").expect("valid");
        let close = Outgoing::Close { child, reason: "no".to_owned() };
        let ending = Ending { result: Ok(Payload::from_bytes(*b"1")) };
        let parent = Some(Parent { id: owner.id.clone(), run: 1, on_close: ParentClose::Terminate });
        let spec = Arc::new(InstanceSpec { parent, ..(*create("new").spec).clone() });
        let begin = Outgoing::CreateChild { id: InstanceId::new("new").expect("valid"), spec };
        let finish = Write { outgoing: vec![close, begin], ..write(vec![record(8)], Then::Finish(ending)) };
        let release = Write { then: Then::Release, ..finish.clone() };
        let own = |write| Command::Own(OwnerWrite { request: RequestId::generate(), owner: owner.clone(), write });
        let commands = [
            own(finish),
            own(release),
            control("bad", Action::Terminate { reason: "no".to_owned() }),
            control("bad", Action::Restart),
        ];
        for command in commands {
            let told = once(&store, command.clone()).await;
            assert!(matches!(told, Err(StoreError::Damaged { .. })), "{command:?}: {told:?}");
            assert_eq!(dump(&server), before, "{command:?}");
        }
    });
}

#[test]
fn a_key_of_another_type() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        server.command(&["SET", DAMAGED, "text"]);
        let told = store.execute(0, vec![Command::Create(create("bad")), Command::Create(create("good"))]).await;
        assert!(matches!(told, Err(StoreError::Damaged { .. })), "{told:?}");
        assert!(store.inspect(InstanceId::new("good").expect("valid")).await.expect("it reads").is_some());
    });
}
