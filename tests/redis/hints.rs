//! What stores on one server tell each other.

use std::sync::Arc;

use support::proxy::Proxy;
use support::redis::RedisServer;
use workflow::journal::command::{Action, Command, Control, Create, Ending, InstanceSpec, Then};
use workflow::store::redis::RedisStore;
use workflow::store::{Hint, Store};
use workflow::words::id::{InstanceId, RequestId};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use super::stage::{
    commands_run, create, hear, make, once, open, own, ready, runtime, scripts_run, start, waiting, write,
};

/// Pauses an instance, of which there is a hint.
async fn pause(store: &RedisStore, id: &InstanceId) {
    let control = Control { request: RequestId::generate(), id: id.clone(), run: None, action: Action::Pause };
    once(store, Command::Control(control)).await.expect("it works");
}

/// Waits until so many stores listen.
async fn listening(server: &RedisServer, stores: usize) {
    support::wait::until("stores that listen", async || {
        let words = server.command(&["PUBSUB", "NUMSUB", "wf:{links:0}:hints"]);
        let (_, count): (String, usize) = redis::from_redis_value(words).expect("a channel and a number");
        (count == stores).then_some(())
    })
    .await;
}

fn published(server: &RedisServer) -> usize {
    commands_run(server, "publish")
}

#[test]
fn another_store_hears_of_a_change_and_the_own_one_hears_it_once() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let (one, two) = (open(&server.url()).await.expect("it opens"), open(&server.url()).await.expect("it opens"));
        let (mut of_one, mut of_two) = (one.hints(), two.hints());
        listening(&server, 2).await;
        make(&one, "a").await;
        let a = InstanceId::new("a").expect("valid");
        pause(&one, &a).await;
        hear(&mut of_two, &Hint::Changed(a.clone())).await;
        // What the other one tells comes after whatever the server might have sent back to the first.
        make(&two, "b").await;
        let b = InstanceId::new("b").expect("valid");
        pause(&two, &b).await;
        let mut changed = Vec::new();
        while changed.last() != Some(&b) {
            if let Hint::Changed(id) = of_one.recv().await.expect("the store lives").hint {
                changed.push(id);
            }
        }
        assert_eq!(changed, [a, b]);
    });
}

#[test]
fn of_waits_and_ends_on_the_short_way_both_hear() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let (one, two) = (open(&server.url()).await.expect("it opens"), open(&server.url()).await.expect("it opens"));
        let (mut of_one, mut of_two) = (one.hints(), two.hints());
        listening(&server, 2).await;
        let ending = || Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
        let due = Timestamp::from_millis(4_000_000_000_000);
        for (id, then) in [("waits", waiting(None)), ("sleeps", waiting(Some(due))), ("ends", ending())] {
            let owner = start(&one, id).await;
            let before = scripts_run(&server);
            own(&one, &owner, write(Vec::new(), then)).await;
            assert_eq!(scripts_run(&server) - before, 1, "it goes the short way");
            for hints in [&mut of_one, &mut of_two] {
                hear(hints, &Hint::Changed(owner.id.clone())).await;
            }
        }
        let owner = start(&one, "sleeps-too").await;
        own(&one, &owner, write(Vec::new(), waiting(Some(due)))).await;
        for hints in [&mut of_one, &mut of_two] {
            hear(hints, &Hint::Timer(due)).await;
        }
    });
}

#[test]
fn a_hint_says_of_which_partition_it_is() {
    let server = RedisServer::start();
    let url = format!("{}?partitions=3", server.url());
    runtime().block_on(async {
        let (one, two) = (open(&url).await.expect("it opens"), open(&url).await.expect("it opens"));
        let (mut of_one, mut of_two) = (one.hints(), two.hints());
        listening(&server, 2).await;
        for number in 0..10 {
            let id = InstanceId::new(format!("i{number}")).expect("valid");
            let partition = one.partition_of(&id);
            one.execute(partition, vec![Command::Create(create(id.as_str()))]).await.expect("it is made");
            for hints in [&mut of_one, &mut of_two] {
                assert_eq!(hear(hints, &ready()).await, Some(partition), "of {id}");
            }
        }
    });
}

#[test]
fn another_store_hears_of_a_timer() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let (one, two) = (open(&server.url()).await.expect("it opens"), open(&server.url()).await.expect("it opens"));
        let mut of_two = two.hints();
        listening(&server, 2).await;
        let due = Timestamp::from_millis(4_000_000_000_000);
        let create = create("later");
        let spec = Arc::new(InstanceSpec { start_at: Some(due), ..(*create.spec).clone() });
        once(&one, Command::Create(Create { spec, ..create })).await.expect("it is made");
        hear(&mut of_two, &Hint::Timer(due)).await;
    });
}

#[test]
fn nothing_is_published_when_nobody_else_listens() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let one = open(&server.url()).await.expect("it opens");
        listening(&server, 1).await;
        // The server knows that it listens a moment before it knows so itself.
        let numbers = std::cell::Cell::new(0);
        support::wait::until("nothing is published", async || {
            let (before, name) = (published(&server), format!("a{}", numbers.replace(numbers.get() + 1)));
            make(&one, &name).await;
            pause(&one, &InstanceId::new(name).expect("valid")).await;
            (published(&server) == before).then_some(())
        })
        .await;
        let before = published(&server);
        let _two = open(&server.url()).await.expect("it opens");
        listening(&server, 2).await;
        make(&one, "b").await;
        assert_eq!(published(&server), before + 1);
    });
}

#[test]
fn who_does_not_listen_itself_is_heard_by_the_only_one_who_does() {
    let server = RedisServer::start_on_tcp(&[]);
    // As a process is in its first moments.
    server.command(&["ACL", "SETUSER", "deaf", "on", ">pw", "~*", "&*", "+@all", "-subscribe"]);
    runtime().block_on(async {
        let one = open(&server.url().replace("redis://", "redis://deaf:pw@")).await.expect("it opens");
        let two = open(&server.url()).await.expect("it opens");
        listening(&server, 1).await;
        let mut of_two = two.hints();
        let a = InstanceId::new("a").expect("valid");
        make(&one, "a").await;
        pause(&one, &a).await;
        hear(&mut of_two, &Hint::Changed(a)).await;
    });
}

#[test]
fn what_was_done_is_done_though_nobody_may_be_told() {
    let server = RedisServer::start_on_tcp(&[]);
    server.command(&["ACL", "SETUSER", "mute", "on", ">pw", "~*", "&*", "+@all", "-publish", "-pubsub"]);
    runtime().block_on(async {
        let _listens = open(&server.url()).await.expect("it opens");
        listening(&server, 1).await;
        let url = server.url().replace("redis://", "redis://mute:pw@");
        let store = open(&url).await.expect("it opens");
        once(&store, Command::Create(create("a"))).await.expect("it is made, and that is what counts");
        server.command(&["ACL", "SETUSER", "mute", "+pubsub"]);
        once(&store, Command::Create(create("b"))).await.expect("it is made, and that is what counts");
        assert_eq!(store.overview().await.expect("it reads").ready, 2);
    });
}

#[test]
fn who_could_not_listen_for_a_while_is_told_that_anything_may_have_happened() {
    let server = RedisServer::start_on_tcp(&[]);
    let proxy = Proxy::to(server.port());
    runtime().block_on(async {
        let store = open(&format!("redis://127.0.0.1:{}", proxy.port())).await.expect("it opens");
        listening(&server, 1).await;
        let mut hints = store.hints();
        proxy.cut();
        hear(&mut hints, &Hint::Anything).await;
    });
}
