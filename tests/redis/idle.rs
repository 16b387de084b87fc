//! What a worker with nothing to do asks of its server.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::redis::RedisServer;
use workflow::prelude::*;

use super::stage::{runtime, scripts_run};

/// How long a worker is watched at a time.
const WATCHED: Duration = Duration::from_secs(6);
/// Fewer than this many commands a second, for each partition.
const COMMANDS_A_SECOND: u64 = 5;

#[workflow]
async fn nothing() -> workflow::Result<()> {
    Ok(())
}

/// Counts what clients send for a while; what scripts call is not counted.
fn commands_during(server: &RedisServer, time: Duration) -> u64 {
    let url = server.url();
    let mut socket = UnixStream::connect(url.trim_start_matches("unix://")).expect("it answers");
    socket.write_all(format!("{}MONITOR\r\n", server.harness_login()).as_bytes()).expect("it reads");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let (mut lines, until, mut count) = (BufReader::new(socket), Instant::now() + time, 0);
    let mut line = Vec::new();
    while Instant::now() < until {
        // What is read before a timeout stays in `line`.
        if lines.read_until(b'\n', &mut line).is_ok() {
            let text = String::from_utf8_lossy(&line).into_owned();
            count += u64::from(text.contains('[') && !text.contains(" lua]"));
            line.clear();
        }
    }
    count
}

#[test]
fn a_worker_with_nothing_to_do_comes_to_rest() {
    comes_to_rest(1);
}

/// What is looked at in each partition is looked at as often as in one.
#[test]
fn a_worker_of_several_partitions_comes_to_rest_in_each() {
    comes_to_rest(3);
}

fn comes_to_rest(partitions: u64) {
    let server = Arc::new(RedisServer::start());
    let url = format!("{}?partitions={partitions}", server.url());
    runtime().block_on(async {
        let engine = Engine::builder().store(url).only::<(nothing,)>().start().await.expect("it starts");
        nothing::create(&engine).await.expect("it starts").result().await.expect("it ends");
        // The pauses of its sweeps grow while they find nothing.
        let counted = support::wait::until("few commands", async || {
            let server = server.clone();
            let counting = tokio::task::spawn_blocking(move || commands_during(&server, WATCHED));
            let counted = counting.await.expect("it does not panic");
            (counted < COMMANDS_A_SECOND * partitions * WATCHED.as_secs()).then_some(counted)
        });
        assert!(counted.await > 0, "its heart still beats");
        drop(engine);
    });
}

/// Work in one partition is not looked for in all others too.
#[test]
fn a_hint_makes_its_own_partition_be_looked_at() {
    const PARTITIONS: usize = 16;
    const INSTANCES: usize = 40;
    let server = RedisServer::start();
    let url = format!("{}?partitions={PARTITIONS}", server.url());
    runtime().block_on(async {
        let _worker = Engine::builder().store(url.as_str()).only::<(nothing,)>().start().await.expect("it starts");
        let client = Engine::builder().store(url.as_str()).mode(Mode::Client).start().await.expect("it starts");
        let work_off = async |count| {
            for _ in 0..count {
                nothing::create(&client).await.expect("it is made").result().await.expect("it ends");
            }
        };
        work_off(1).await;
        let (before, began) = (scripts_run(&server), Instant::now());
        work_off(INSTANCES).await;
        let run = scripts_run(&server) - before;
        // A create, a look, a claim and an end of each; and what its sweeps look at, of which there are fewer than ten a
        // second and partition at the most.
        let swept = PARTITIONS * 10 * usize::try_from(began.elapsed().as_secs() + 1).expect("not long");
        assert!(run < INSTANCES * 6 + swept, "{run} calls");
    });
}
