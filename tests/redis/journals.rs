//! Journals as they are read: whole, whatever their length, and the short ones of most instances at little cost.

use std::convert::Infallible;
use std::time::Duration;

use support::redis::RedisServer;
use workflow::prelude::*;
use workflow::store::Store;
use workflow::words::id::InstanceId;

use super::stage::{open, runtime};

/// Lengths on both sides of where a read asks for more.
const LENGTHS: [u32; 8] = [0, 1, 31, 32, 33, 531, 532, 533];
/// What reading a short journal may send to the server, the commands included that find that out. Each field that is asked
/// for takes eight bytes.
const SENT_MAX: u64 = 1_000;

#[workflow]
async fn counts(steps: u32) -> workflow::Result<u32> {
    let mut last = 0;
    for number in 1..=steps {
        last = step!("Step", number_of(number)).await?;
    }
    Ok(last)
}

async fn number_of(value: u32) -> Result<u32, Infallible> {
    Ok(value)
}

/// An instance with so many records for each length, and nobody who is there any more.
async fn fill(server: &RedisServer) {
    // The namespace that `open` opens.
    let builder = Engine::builder().store(server.url()).namespace("links").only::<(counts,)>();
    let engine = builder.start().await.expect("it starts");
    for length in LENGTHS {
        let instance = counts::create(&engine, length).id(format!("of-{length}")).await.expect("it is made");
        assert_eq!(instance.result().await.expect("it ends"), length);
    }
    engine.shutdown(Duration::from_secs(10)).await;
}

fn received(server: &RedisServer) -> u64 {
    let info: String = redis::from_redis_value(server.command(&["INFO", "stats"])).expect("a text");
    let number = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
    number.and_then(|number| number.trim().parse().ok()).expect("a number")
}

#[test]
fn a_journal_of_any_length_is_read_whole_from_wherever_it_is_asked_for() {
    let server = RedisServer::start();
    runtime().block_on(async {
        fill(&server).await;
        let store = open(&server.url()).await.expect("it opens");
        for length in LENGTHS {
            let id = InstanceId::new(format!("of-{length}")).expect("valid");
            let whole = store.journal(id.clone(), 1, 0).await.expect("it is read").expect("it is there");
            assert_eq!(whole.len(), length as usize);
            for from in [1, length / 2, length, length + 1] {
                let rest = store.journal(id.clone(), 1, from).await.expect("it is read").expect("it is there");
                assert_eq!(rest, whole[whole.len().min(from as usize)..], "of {length} from {from}");
            }
            assert_eq!(store.journal(id, 2, 0).await.expect("it is read"), None, "there is no second run");
        }
    });
}

#[test]
fn a_short_journal_is_read_without_asking_for_many_records_that_are_not_there() {
    let server = RedisServer::start();
    runtime().block_on(async {
        fill(&server).await;
        let store = open(&server.url()).await.expect("it opens");
        let before = received(&server);
        store.journal(InstanceId::new("of-1").expect("valid"), 1, 0).await.expect("it is read").expect("it is there");
        let sent = received(&server) - before;
        assert!(sent <= SENT_MAX, "{sent} bytes");
    });
}
