//! A primary and its replica, and an address that leads to whichever is the primary: a failover as somebody does it by
//! hand, or a watchdog.

use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::redis::RedisServer;
use crate::wait;

/// Two servers.
#[derive(Debug)]
pub struct Pair {
    settings: Vec<(&'static str, &'static str)>,
    primary: RedisServer,
    replica: RedisServer,
    /// Between the two.
    link: Proxy,
    /// What clients connect to.
    front: Proxy,
}

impl Pair {
    /// Starts both with these settings, and waits until the replica follows.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(settings: &[(&'static str, &'static str)]) -> Self {
        let mut settings = settings.to_vec();
        settings.push(("repl-diskless-sync-delay", "0"));
        let primary = RedisServer::start_on_tcp(&settings);
        let (link, replica) = follow(&primary, &settings).await;
        let front = Proxy::to(primary.port());
        Self { settings, primary, replica, link, front }
    }

    /// Where clients find the primary, whichever that is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.front.port())
    }

    /// The primary dies and the replica takes its place, after the two were cut off from each other for some time in which
    /// clients still reached the primary. `noted` is called before any of them reaches the new one.
    ///
    /// # Panics
    /// When the replica does not become the primary, or its own replica does not follow.
    pub async fn fail_over(&mut self, cut_off: Duration, noted: impl FnOnce()) {
        if !cut_off.is_zero() {
            self.link.black_hole(true);
            wait::moment(Instant::now() + cut_off).await;
        }
        self.primary.kill();
        self.replica.command(&["REPLICAOF", "NO", "ONE"]);
        let (link, replica) = follow(&self.replica, &self.settings).await;
        noted();
        self.front.lead_to(self.replica.port());
        self.link = link;
        self.primary = std::mem::replace(&mut self.replica, replica);
    }
}

/// A new replica of a server, once it follows.
async fn follow(primary: &RedisServer, settings: &[(&str, &str)]) -> (Proxy, RedisServer) {
    let link = Proxy::to(primary.port());
    let of = format!("127.0.0.1 {}", link.port());
    let all: Vec<_> = settings.iter().copied().chain([("replicaof", of.as_str())]).collect();
    let replica = RedisServer::start_on_tcp(&all);
    let follows = async || {
        let said: String = redis::from_redis_value(primary.command(&["INFO", "replication"])).ok()?;
        said.contains("state=online").then_some(())
    };
    wait::until("the replica follows", follows).await;
    (link, replica)
}
