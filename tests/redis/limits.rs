//! What nears a limit is told in the log, once for each instance and limit.

use support::prelude::*;
use support::redis::RedisServer;
use workflow::words::limits::{BRANCHES_MAX, MAILBOX_MAX, PAYLOAD_WARN_BYTES};

use super::stage::runtime;
use super::start::logged;

#[workflow]
async fn nears_limits() -> workflow::Result<u64> {
    for number in 0..2 {
        step!("large", key = number, large()).await?;
    }
    let events = join_all((0..BRANCHES_MAX / 5).map(|number| wait_for::<Go>("go").key(number)));
    race! {
        _all = events => (),
        _stop = wait_for::<Go>("stop") => (),
    }
    .await;
    let mut sum = 0;
    for _ in 0..MAILBOX_MAX / 5 {
        sum += wait_for::<Go>("more").key("more").await.number;
    }
    Ok(sum)
}

async fn large() -> Result<String, std::convert::Infallible> {
    Ok("x".repeat(PAYLOAD_WARN_BYTES))
}

#[test]
fn each_limit_that_a_run_nears_is_told_once() {
    let server = RedisServer::start();
    let log = logged(|| {
        runtime().block_on(async {
            let engine = Engine::builder().store(server.url()).only::<nears_limits>().start().await.expect("it starts");
            let instance = nears_limits::create(&engine).id("near").await.expect("it is made");
            wait::state(&instance, State::Waiting).await;
            // So many come before it is given to a worker again.
            instance.pause().await.expect("it waits");
            for _ in 0..MAILBOX_MAX / 5 {
                instance.send(Go { number: 1 }).key("more").await.expect("it is taken");
            }
            instance.send(Go { number: 1 }).await.expect("it is taken");
            instance.resume().await.expect("it is paused");
            assert_eq!(instance.result().await.expect("it ends"), u64::from(MAILBOX_MAX) / 5);
        });
    });
    let told: Vec<&str> = log.lines().filter(|line| line.contains("nears a limit")).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    for what in ["bytes in one result", "operations open at once", "unread events"] {
        let lines: Vec<_> = told.iter().filter(|line| line.contains(what)).collect();
        assert!(matches!(lines[..], [line] if line.contains("instance=near") && line.contains("WARN")), "{told:#?}");
    }
    assert!(!log.contains("xxxx"), "what it holds is not told");
}
