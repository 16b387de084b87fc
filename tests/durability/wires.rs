//! A wire to the Redis server that loses replies, is cut, and goes dead for longer than a lease.

use std::time::Duration;

use support::chance::Chance;
use support::load::{Paid, STEPS, parcel, total};
use support::prelude::*;
use support::proxy::Proxy;
use support::redis::RedisServer;

use super::fleet::Fleet;

mod redis {
    use support::StoreKind;

    #[test]
    fn replies_lost_and_connections_cut_at_random_change_nothing() {
        support::run(StoreKind::Redis, super::lose_and_cut);
    }

    #[test]
    fn a_worker_behind_a_dead_wire_writes_nothing_afterwards_and_works_on_with_a_new_session() {
        support::run(StoreKind::Redis, super::go_dead);
    }
}

/// A stage on a server that is reached by TCP, and the url of the same server behind the proxy.
fn wired(stage: &mut Stage) -> (Proxy, String) {
    let server = RedisServer::start_on_tcp(&[]);
    let proxy = Proxy::to(server.port());
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    stage.server = Some(server);
    (proxy, url)
}

async fn lose_and_cut(mut stage: Stage) -> TestResult {
    let mut chance = Chance::new("replies lost, connections cut");
    let (proxy, url) = wired(&mut stage);
    let mut fleet = Fleet::delivering_over(stage, &url).await;
    fleet
        .deliver_through(40, async || {
            wait::moment(Instant::now() + chance.millis(0..30)).await;
            if chance.index(4) == 0 {
                proxy.cut();
            } else {
                proxy.lose_replies(1 + chance.index(3), "EVALSHA");
                wait::until("the replies are lost", async || (proxy.replies_to_lose() == 0).then_some(())).await;
            }
        })
        .await
}

async fn go_dead(mut stage: Stage) -> TestResult {
    let (proxy, url) = wired(&mut stage);
    // The first worker's body ends soon after the wire died, before other requests that hang hold the write back: it is
    // on the wire, and arrives when that is alive again.
    let mut fleet = Fleet::new(stage, 1, Duration::from_millis(60)).await;
    let direct = std::mem::replace(&mut fleet.setup.store, url);
    let zombie = fleet.start_worker().id();
    let instance = parcel::create(&fleet.client, 7, false).id("cut-off").await?;
    instance.send(Paid { amount: 100 }).await?;
    wait::until("the first body runs", async || (!fleet.effects().is_empty()).then_some(())).await;
    proxy.black_hole(true);

    // The other worker takes over once the lease is over.
    fleet.setup.store = direct;
    fleet.setup.step_time = Duration::from_millis(5);
    fleet.start_worker();
    assert_eq!(instance.result_within(wait::PATIENCE).await?, total(7, 100));
    let done = instance.history().await?;

    proxy.black_hole(false);
    fleet.workers.pop().expect("two were started").kill();
    let next = parcel::create(&fleet.client, 1, false).id("next").await?;
    next.send(Paid { amount: 1 }).await?;
    assert_eq!(next.result_within(wait::PATIENCE).await?, total(1, 1));
    fleet.check_workers();

    let later = fleet.effects();
    let of_first = later.iter().filter(|effect| effect.instance == "cut-off").count();
    // The one that the dead wire interrupted, or that began when the wire brought the answer to the one before.
    assert!((STEPS.len()..=STEPS.len() + 1).contains(&of_first), "one body too many at most: {later:?}");
    assert!(later.iter().filter(|effect| effect.instance == "next").all(|effect| effect.process == zombie));
    assert_eq!(format!("{:?}", instance.history().await?), format!("{done:?}"), "the journal did not change");
    Ok(())
}
