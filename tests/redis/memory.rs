//! What a finished instance keeps in the server's memory.

use std::convert::Infallible;

use support::redis::RedisServer;
use workflow::journal::command::{Command, Ending, PauseReason, Then, Write};
use workflow::prelude::*;
use workflow::words::payload::Payload;

use super::stage::{SESSION, once, open, own, runtime, start, write};

/// Enough that the sizes of tables, which grow by doubling, do not matter much.
const INSTANCES: usize = 3_000;
/// How many are made at once.
const BATCH: usize = 100;
/// What one may keep, its name, state and time included.
const BYTES_MAX: usize = 700;

#[workflow]
async fn small() -> workflow::Result<[u32; 3]> {
    let one = step!("Step 1", number(1)).await?;
    let two = step!("Step 2", number(2)).await?;
    let three = step!("Step 3", number(3)).await?;
    Ok([one, two, three])
}

async fn number(value: u32) -> Result<u32, Infallible> {
    Ok(value)
}

/// What the server holds without what it keeps for its clients.
fn held(server: &RedisServer) -> usize {
    let info: String = redis::from_redis_value(server.command(&["INFO", "memory"])).expect("a text");
    let field = |name: &str| -> usize {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|number| number.trim().parse().ok()).expect("a number")
    };
    field("used_memory") - field("mem_clients_normal")
}

async fn run(engine: &Engine, count: usize) {
    for _ in 0..count / BATCH {
        let made = small::create_batch(engine, (0..BATCH).map(|_| small::new())).await.expect("they are made");
        for instance in made {
            assert_eq!(instance.expect("it is made").result().await.expect("it ends"), [1, 2, 3]);
        }
    }
}

#[test]
fn a_small_instance_that_has_ended_keeps_little() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let engine = Engine::builder().store(server.url()).only::<(small,)>().start().await.expect("it starts");
        run(&engine, BATCH).await;
        let before = held(&server);
        run(&engine, INSTANCES).await;
        let each = (held(&server) - before) / INSTANCES;
        assert!(each <= BYTES_MAX, "{each} bytes");
    });
}

#[test]
fn a_head_names_a_session_only_while_one_has_the_instance() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let length = |id: &str| server.command(&["HSTRLEN", &format!("wf:{{links:0}}:i:{id}"), "h"]);
        let ending = Ending { result: Ok(Payload::from_bytes(*b"1")) };
        // What is ready comes last: beside it nothing is handed over.
        let ends = [Then::Park(PauseReason::Operator), Then::Finish(ending), Then::Release];
        for (number, then) in ends.into_iter().enumerate() {
            let (id, what) = (format!("a{number}"), format!("{then:?}"));
            let owner = start(&store, &id).await;
            assert_eq!(length(&id), redis::Value::Int(58), "{what}");
            // Not the shortest way of a write.
            own(&store, &owner, Write { shifted_ms: 1, ..write(Vec::new(), then) }).await;
            assert_eq!(length(&id), redis::Value::Int(42), "{what}");
            once(&store, Command::CloseSession { session: SESSION }).await.expect("it closes");
        }
    });
}
