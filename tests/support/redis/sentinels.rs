//! A primary with replicas, watched by sentinels of a test's own.
//!
//! Owns who watches whom; a node is a [`RedisServer`]. Which node is the primary is for the sentinels to say. Dropping
//! it kills all. Knows nothing of workflows.

use std::fmt::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{RedisResult, Value, from_redis_value};
use tempfile::TempDir;

use super::{HARNESS, PORTS_TRIED, RedisServer, free_port};
use crate::process;

/// Under which name the sentinels know the primary and its replicas.
pub const SERVICE: &str = "orders";
/// How long a node may say nothing until a sentinel takes it for dead: longer than one that lives is kept waiting by a
/// machine that does much else.
const DOWN_AFTER_MS: u32 = 1_500;
/// How long one try of a failover may take.
const FAILOVER_WITHIN_MS: u32 = 3_000;
/// How many sentinels there are.
const SENTINELS: usize = 3;
/// How many of them must agree that the primary is gone.
const QUORUM: usize = 2;
/// How long all of them may take to agree: a primary that comes back is told to follow only after ten seconds.
const AGREE_WITHIN: Duration = Duration::from_secs(90);
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A primary and its replicas behind three sentinels: node 0 is the primary at first.
#[derive(Debug)]
pub struct Sentinels {
    nodes: Vec<Node>,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Node {
    server: RedisServer,
    /// It was neither killed nor frozen.
    runs: bool,
}

/// One sentinel. It keeps what it knows in its configuration file.
#[derive(Debug)]
struct Sentinel {
    folder: TempDir,
    port: u16,
    child: Child,
    runs: bool,
}

impl Sentinels {
    /// Starts a primary with so many replicas, each node set so, and waits until every sentinel knows all.
    ///
    /// # Panics
    /// When they do not come up.
    #[must_use]
    pub fn start(replicas: usize, settings: &[(&str, &str)]) -> Self {
        Self::start_as(replicas, settings, false)
    }

    /// The same, for a user who may do no more than the docs grant.
    ///
    /// # Panics
    /// When they do not come up.
    #[must_use]
    pub fn start_restricted(replicas: usize, settings: &[(&str, &str)]) -> Self {
        Self::start_as(replicas, settings, true)
    }

    fn start_as(replicas: usize, settings: &[(&str, &str)], restricted: bool) -> Self {
        let settings: Vec<_> = [("repl-diskless-sync-delay", "0")].iter().chain(settings).copied().collect();
        let start = |_| Node { server: RedisServer::start_node(&settings, restricted), runs: true };
        let nodes: Vec<Node> = (0..=replicas).map(start).collect();
        let primary = nodes[0].server.port();
        for node in &nodes[1..] {
            node.server.command(&["REPLICAOF", "127.0.0.1", &primary.to_string()]);
        }
        let mut it = Self { nodes, sentinels: Vec::new() };
        // Sentinels learn of replicas when they ask the primary, which they do every ten seconds.
        it.until("the replicas follow", || it.followers_are_up(0).then_some(()));
        it.sentinels = (0..SENTINELS).map(|_| Sentinel::start(primary, restricted)).collect();
        it.wait_until_settled();
        it
    }

    /// Where the service is: all sentinels, and its name.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = "redis+sentinel://".to_owned();
        for (index, sentinel) in self.sentinels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(url, "{comma}127.0.0.1:{}", sentinel.port).expect("a string can be written");
        }
        format!("{url}/{SERVICE}")
    }

    /// One node, to be asked something.
    #[must_use]
    pub fn node(&self, node: usize) -> &RedisServer {
        &self.nodes[node].server
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: there is a primary.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The port of a sentinel.
    #[must_use]
    pub fn sentinel_port(&self, sentinel: usize) -> u16 {
        self.sentinels[sentinel].port
    }

    /// Asks one sentinel something.
    ///
    /// # Errors
    /// When it does not answer, or answers with an error.
    pub fn try_sentinel(&self, sentinel: usize, words: &[&str]) -> RedisResult<Value> {
        self.sentinels[sentinel].ask(words)
    }

    /// The node that is the primary, as every sentinel that runs says.
    ///
    /// # Panics
    /// When they do not agree on one that runs in time.
    #[must_use]
    pub fn primary(&self) -> usize {
        self.until("the sentinels agree on a primary", || {
            // Who was named a moment before it died is named still.
            let primary = self.named().filter(|primary| self.nodes[*primary].runs)?;
            let role = self.node(primary).info("replication", "role")?;
            (role == "master").then_some(primary)
        })
    }

    /// Kills a node: SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].server.kill();
        self.nodes[node].runs = false;
    }

    /// Freezes a node: SIGSTOP.
    pub fn pause(&mut self, node: usize) {
        self.nodes[node].server.pause();
        self.nodes[node].runs = false;
    }

    /// Lets it go on: SIGCONT.
    pub fn resume(&mut self, node: usize) {
        self.nodes[node].server.resume();
        self.nodes[node].runs = true;
    }

    /// Starts a node again. It comes back as the primary it may have been; the sentinels make a replica of it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].server.restart();
        self.nodes[node].runs = true;
    }

    /// Kills a sentinel.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill_sentinel(&mut self, sentinel: usize) {
        self.sentinels[sentinel].kill();
    }

    /// Starts a sentinel again, with what it knew.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_sentinel(&mut self, sentinel: usize) {
        self.sentinels[sentinel].restart();
    }

    /// Puts a replica in the place of the primary, as an operator does, and says which it is.
    ///
    /// # Panics
    /// When it does not come to that in time.
    pub fn failover(&self) -> usize {
        let before = self.primary();
        self.until("another node is the primary", || {
            let now = self.named()?;
            if now != before {
                return Some(());
            }
            let sentinel = self.sentinels.iter().find(|sentinel| sentinel.runs)?;
            // It is refused while one goes on.
            drop(sentinel.ask(&["SENTINEL", "FAILOVER", SERVICE]));
            None
        });
        self.wait_until_settled();
        self.primary()
    }

    /// Waits until the sentinels that run know each other and name one primary, and every other node that runs follows
    /// it.
    ///
    /// # Panics
    /// When they do not in time.
    pub fn wait_until_settled(&self) {
        self.until("sentinels settle", || {
            let primary = self.named()?;
            let known = self.sentinels.iter().filter(|sentinel| sentinel.runs).all(Sentinel::knows_all);
            (known && self.nodes[primary].runs && self.followers_are_up(primary)).then_some(())
        });
    }

    /// The node that every sentinel that runs names.
    fn named(&self) -> Option<usize> {
        let mut named = self.sentinels.iter().filter(|sentinel| sentinel.runs).map(Sentinel::primary_port);
        let first = named.next()??;
        let agreed = named.all(|port| port == Some(first));
        agreed.then(|| self.nodes.iter().position(|node| node.server.port() == first))?
    }

    /// Every other node that runs follows this one.
    fn followers_are_up(&self, primary: usize) -> bool {
        let port = self.node(primary).port().to_string();
        let others = self.nodes.iter().enumerate().filter(|(index, node)| node.runs && *index != primary);
        let mut follows = others.map(|(_, node)| {
            let told = |name| node.server.info("replication", name);
            told("master_port").as_deref() == Some(&port) && told("master_link_status").as_deref() == Some("up")
        });
        follows.all(|follows| follows)
    }

    fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        super::until(what, AGREE_WITHIN, ASK_EVERY, look, || {
            let told = |sentinel: &Sentinel| format!("{:?}\n", sentinel.ask(&["SENTINEL", "MASTER", SERVICE]));
            let ask = |node: &Node| node.server.try_command(&["INFO", "replication"]);
            let nodes = self.nodes.iter().filter(|node| node.runs).map(|node| format!("{:?}\n", ask(node)));
            self.sentinels.iter().filter(|sentinel| sentinel.runs).map(told).chain(nodes).collect()
        })
    }
}

impl Sentinel {
    fn start(primary: u16, restricted: bool) -> Self {
        let mut tries = (0..PORTS_TRIED).map(|_| Self::try_start(primary, restricted));
        tries.find_map(|tried| tried).expect("redis-server starts as a sentinel: Debian's can")
    }

    fn try_start(primary: u16, restricted: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a test can have a temporary folder");
        let port = free_port();
        let login = match restricted {
            true => format!("sentinel auth-user {SERVICE} {HARNESS}\nsentinel auth-pass {SERVICE} {HARNESS}\n"),
            false => String::new(),
        };
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} {QUORUM}\n\
             sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {SERVICE} {FAILOVER_WITHIN_MS}\n{login}",
            folder.path().display()
        );
        std::fs::write(folder.path().join("sentinel.conf"), settings).expect("a file can be written");
        let child = spawn_sentinel(&folder);
        let mut started = Self { folder, port, child, runs: true };
        started.wait_until_it_answers().then_some(started)
    }

    fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
        self.runs = false;
    }

    fn restart(&mut self) {
        self.kill();
        self.child = spawn_sentinel(&self.folder);
        assert!(self.wait_until_it_answers(), "a sentinel starts again");
        self.runs = true;
    }

    /// False when it ended instead.
    fn wait_until_it_answers(&mut self) -> bool {
        for _ in 0..super::ASKED_MAX {
            if self.ask(&["PING"]).is_ok() {
                return true;
            }
            if let Ok(Some(_)) = self.child.try_wait() {
                return false;
            }
            std::thread::park_timeout(super::ASK_EVERY);
        }
        false
    }

    fn ask(&self, words: &[&str]) -> RedisResult<Value> {
        super::asking::ask(&format!("redis://127.0.0.1:{}", self.port), words)
    }

    fn primary_port(&self) -> Option<u16> {
        let answer = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).ok()?;
        let (_, port): (String, String) = from_redis_value(answer).ok()?;
        port.parse().ok()
    }

    /// It knows the other sentinels that were started.
    fn knows_all(&self) -> bool {
        let Ok(answer) = self.ask(&["SENTINEL", "CKQUORUM", SERVICE]) else { return false };
        // `OK 3 usable Sentinels. Quorum and failover authorization can be reached`: two are enough when one is dead.
        from_redis_value::<String>(answer).is_ok_and(|words| words.starts_with("OK")) && self.others() == SENTINELS - 1
    }

    fn others(&self) -> usize {
        let answer = self.ask(&["SENTINEL", "SENTINELS", SERVICE]).ok();
        answer.and_then(|answer| from_redis_value::<Vec<Value>>(answer).ok()).map_or(0, |others| others.len())
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may be dead already; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn_sentinel(folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.arg(folder.path().join("sentinel.conf")).arg("--sentinel");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.expect("redis-server is installed: scripts/test does it")
}

impl Sentinels {
    /// Freezes a sentinel: SIGSTOP.
    pub fn pause_sentinel(&mut self, sentinel: usize) {
        process::freeze(self.sentinels[sentinel].child.id());
        self.sentinels[sentinel].runs = false;
    }

    /// Lets it go on: SIGCONT.
    pub fn resume_sentinel(&mut self, sentinel: usize) {
        process::thaw(self.sentinels[sentinel].child.id());
        self.sentinels[sentinel].runs = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_put_a_replica_in_the_place_of_a_primary_that_is_gone() {
        let mut all = Sentinels::start(1, &[]);
        assert_eq!(all.primary(), 0);
        all.node(0).command(&["SET", "key", "value"]);
        assert_eq!(all.failover(), 1);
        let kept = all.node(1).command(&["GET", "key"]);
        assert_eq!(from_redis_value::<String>(kept).expect("it went along"), "value");
        all.pause_sentinel(2);
        all.pause(1);
        assert_eq!(all.primary(), 0);
        all.resume_sentinel(2);
        all.resume(1);
        all.wait_until_settled();
        let role = all.node(1).info("replication", "role");
        assert_eq!(role.as_deref(), Some("slave"), "who comes back follows");
    }
}
