//! A Redis server that is killed, forgets its scripts and throws its clients out, under load.

use support::chance::Chance;
use support::prelude::*;
use support::redis::RedisServer;

use super::fleet::Fleet;

mod redis {
    use support::StoreKind;

    #[test]
    fn a_server_that_writes_through_is_killed_again_and_again_and_nothing_is_lost() {
        support::run(StoreKind::Redis, async |stage| super::kill_the_server(stage, "always").await);
    }

    #[test]
    fn a_server_that_syncs_every_second_is_killed_again_and_again_and_nothing_is_lost() {
        support::run(StoreKind::Redis, async |stage| super::kill_the_server(stage, "everysec").await);
    }

    #[test]
    fn a_server_that_forgets_its_scripts_is_told_them_again() {
        support::run(StoreKind::Redis, super::flush_scripts);
    }

    #[test]
    fn a_server_that_throws_its_clients_out_gets_them_back() {
        support::run(StoreKind::Redis, super::kill_clients);
    }
}

async fn kill_the_server(mut stage: Stage, sync: &str) -> TestResult {
    let mut chance = Chance::new("kills of the server");
    stage.server = Some(RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", sync)]));
    let mut fleet = Fleet::delivering(stage).await;
    let mut server = fleet.stage.server.take().expect("it was just started");
    fleet
        .deliver_through(6, async || {
            wait::moment(Instant::now() + chance.millis(20..120)).await;
            wait::until("nothing is held back", async || written(&server).then_some(())).await;
            server.kill();
            wait::moment(Instant::now() + chance.millis(0..100)).await;
            server.restart();
        })
        .await
}

/// Whether what the server acknowledges is with the system, and so survives the server: while it syncs in the
/// background it holds writes back for up to two seconds, and acknowledges them all the same.
fn written(server: &RedisServer) -> bool {
    let said: String = ::redis::from_redis_value(server.command(&["INFO", "persistence"])).expect("a text");
    said.contains("aof_pending_bio_fsync:0") && said.contains("aof_buffer_length:0")
}

async fn flush_scripts(stage: Stage) -> TestResult {
    let mut chance = Chance::new("scripts forgotten");
    let mut fleet = Fleet::delivering(stage).await;
    let server = fleet.stage.server.take().expect("it is on Redis");
    fleet
        .deliver_through(60, async || {
            wait::moment(Instant::now() + chance.millis(0..20)).await;
            server.command(&["SCRIPT", "FLUSH"]);
        })
        .await
}

async fn kill_clients(stage: Stage) -> TestResult {
    let mut chance = Chance::new("clients thrown out");
    let mut fleet = Fleet::delivering(stage).await;
    let server = fleet.stage.server.take().expect("it is on Redis");
    fleet
        .deliver_through(25, async || {
            wait::moment(Instant::now() + chance.millis(0..60)).await;
            for kind in ["normal", "pubsub"] {
                server.command(&["CLIENT", "KILL", "TYPE", kind]);
            }
        })
        .await
}
