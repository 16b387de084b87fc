//! Redis clusters of a test's own: primaries, each with a replica, on loopback.
//!
//! Owns how the nodes find each other, and whom they take for what; a node is a [`RedisServer`]. Whatever is asked here is
//! over when it returns: the nodes that run agree. Dropping it kills all. Knows nothing of workflows.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::thread::park_timeout;
use std::time::Duration;

use redis::{RedisResult, Value, from_redis_value};

use super::keeper::Keeper;
use super::{HARNESS, RedisServer};

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;
/// Which nodes are primaries at first: with one fewer there is no majority when one dies.
const PRIMARIES: usize = 3;
/// What every node is set to. A node that says nothing for two seconds is suspected, and soon replaced: on a machine that
/// does much else, one that lives may be replaced if this is shorter, and what it acknowledged then be lost.
const SETTINGS: &[(&str, &str)] = &[
    ("cluster-enabled", "yes"),
    ("cluster-node-timeout", "2000"),
    // A replica may follow whenever its primary is gone, however long ago it heard of it.
    ("cluster-replica-validity-factor", "0"),
    // Replicas stay with their primaries, so that a test knows who they are.
    ("cluster-migration-barrier", "10"),
    ("repl-diskless-sync-delay", "0"),
    ("repl-ping-replica-period", "1"),
];
/// How long the nodes may take to agree. Only a cluster that does not come up takes as long.
const AGREE_WITHIN: Duration = Duration::from_secs(60);
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How many keys are moved at a time: few, so that a slot that is moved is a while between two nodes.
const MOVED_AT_ONCE: usize = 5;

/// A cluster of three primaries and three replicas: nodes 0 to 2 are primaries at first, 3 to 5 their replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    server: RedisServer,
    /// Its name in the cluster, which it keeps.
    name: String,
    state: NodeState,
}

/// What was done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeState {
    Runs,
    Stands,
    Dead,
}

/// Who has which slots, as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct View {
    /// Of each node, by its index; empty for replicas.
    slots: Vec<Vec<RangeInclusive<u16>>>,
    /// Whom each node replicates.
    primaries: Vec<Option<usize>>,
}

impl RedisCluster {
    /// Starts one, and waits until all nodes know all, and every replica could follow its primary.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[], false)
    }

    /// The same, with further settings for every node; `restricted` for a user who may do no more than the docs grant.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)], restricted: bool) -> Self {
        let settings: Vec<_> = SETTINGS.iter().chain(settings).copied().collect();
        let start = || RedisServer::start_node(&settings, restricted);
        let nodes = (0..2 * PRIMARIES).map(|_| start()).map(|server| {
            let name = text(server.command(&["CLUSTER", "MYID"]));
            Node { server, name, state: NodeState::Runs }
        });
        let cluster = Self { nodes: nodes.collect() };
        cluster.form();
        cluster
    }

    /// One that all tests of this process share, started when it is first asked for; it ends with the process.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<(RedisCluster, Keeper)> = OnceLock::new();
        let start = || {
            // Who tests with the rights of the docs is told when one is missing, on a cluster too.
            let cluster = Self::start_with(&[], true);
            let nodes = || cluster.nodes.iter().map(|node| &node.server);
            let keeper = Keeper::of(nodes().map(RedisServer::id), nodes().map(|server| server.folder.path()));
            (cluster, keeper)
        };
        &SHARED.get_or_init(start).0
    }

    /// Where it is: all nodes of it.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = "redis+cluster://".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(url, "{comma}127.0.0.1:{}", node.server.port()).expect("a string can be written");
        }
        url
    }

    /// How many nodes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: there are six.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// One node, to be asked something.
    #[must_use]
    pub fn node(&self, node: usize) -> &RedisServer {
        &self.nodes[node].server
    }

    /// Asks one node that runs, as `redis-cli` would, whoever it is.
    ///
    /// # Errors
    /// What it answers; `MOVED` too.
    pub fn try_command(&self, node: usize, words: &[&str]) -> RedisResult<Value> {
        self.node(node).try_command(words)
    }

    /// Sets something on every node that runs.
    ///
    /// # Panics
    /// When one does not take it.
    pub fn configure(&self, name: &str, value: &str) {
        for node in self.running() {
            self.node(node).command(&["CONFIG", "SET", name, value]);
        }
    }

    /// Kills a node: SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].server.kill();
        self.nodes[node].state = NodeState::Dead;
    }

    /// Freezes a node: SIGSTOP.
    pub fn pause(&mut self, node: usize) {
        self.nodes[node].server.pause();
        self.nodes[node].state = NodeState::Stands;
    }

    /// Lets it go on: SIGCONT.
    pub fn resume(&mut self, node: usize) {
        self.nodes[node].server.resume();
        self.nodes[node].state = NodeState::Runs;
    }

    /// Starts a node again, where it was and as whom it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].server.restart();
        self.nodes[node].state = NodeState::Runs;
    }

    /// The slot of a key.
    ///
    /// # Panics
    /// When no node runs.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let node = self.running().next().expect("a node runs");
        from_redis_value(self.node(node).command(&["CLUSTER", "KEYSLOT", key])).expect("a slot is a number")
    }

    /// The node that has a slot, as the others say.
    ///
    /// # Panics
    /// When they do not agree on one that runs in time.
    #[must_use]
    pub fn primary_of(&self, slot: u16) -> usize {
        self.agreed("a slot has a primary", |view| {
            let found = view.slots.iter().position(|ranges| ranges.iter().any(|range| range.contains(&slot)))?;
            (self.nodes[found].state == NodeState::Runs).then_some(found)
        })
    }

    /// The nodes that have slots.
    ///
    /// # Panics
    /// When the nodes do not agree in time.
    #[must_use]
    pub fn primaries(&self) -> Vec<usize> {
        self.agreed("there are primaries", |view| {
            let with_slots: Vec<usize> = (0..self.len()).filter(|node| !view.slots[*node].is_empty()).collect();
            (!with_slots.is_empty()).then_some(with_slots)
        })
    }

    /// Waits until a node has slots.
    ///
    /// # Panics
    /// When it has none in time.
    pub fn wait_until_it_is_primary(&self, node: usize) {
        self.agreed("a node is a primary", |view| (!view.slots[node].is_empty()).then_some(()));
    }

    /// The node that replicates this one.
    ///
    /// # Panics
    /// When there is none that runs.
    #[must_use]
    pub fn replica_of(&self, primary: usize) -> usize {
        self.agreed("a primary has a replica", |view| {
            self.running().find(|node| view.primaries[*node] == Some(primary))
        })
    }

    /// Puts a primary's replica in its place without loss, as an operator does, and says which it is.
    ///
    /// # Panics
    /// When it does not come to that in time.
    pub fn failover(&self, primary: usize) -> usize {
        let replica = self.replica_of(primary);
        // It is refused or given up at times, as when the nodes have just agreed on something else.
        self.until("a replica takes its primary's place", || {
            if self.view(replica).is_some_and(|view| !view.slots[replica].is_empty()) {
                return Some(());
            }
            drop(self.try_command(replica, &["CLUSTER", "FAILOVER"]));
            park_timeout(ASK_EVERY * 5);
            None
        });
        self.wait_until_settled();
        replica
    }

    /// Moves a slot with all its keys from one primary to another, key by key, while whoever likes goes on.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let number = slot.to_string();
        let (source, target) = (self.node(from), self.node(to));
        let [source_name, target_name] = [from, to].map(|node| self.nodes[node].name.as_str());
        target.command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", source_name]);
        source.command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", target_name]);
        let port = target.port().to_string();
        loop {
            let mut ask = redis::cmd("CLUSTER");
            ask.arg("GETKEYSINSLOT").arg(slot).arg(MOVED_AT_ONCE);
            let mut connection = source.connect().expect("the source answers");
            let keys: Vec<Vec<u8>> = ask.query(&mut connection).expect("it says which keys it has");
            if keys.is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(&port).arg("").arg(0).arg(10_000);
            if source.restricted {
                migrate.arg("AUTH2").arg(HARNESS).arg(HARNESS);
            }
            migrate.arg("KEYS").arg(&keys).exec(&mut connection).expect("keys can be moved");
        }
        // The new one first, so that nobody is sent in a circle.
        for node in [to, from].into_iter().chain(self.running().filter(|node| ![to, from].contains(node))) {
            // A replica is told by its primary.
            drop(self.try_command(node, &["CLUSTER", "SETSLOT", &number, "NODE", target_name]));
        }
        self.until("all know that a slot was moved", || (self.primary_of(slot) == to).then_some(()));
    }

    /// Waits until all nodes that run agree that the cluster works, and every replica follows its primary.
    ///
    /// # Panics
    /// When they do not in time.
    pub fn wait_until_settled(&self) {
        self.agreed("a cluster settles", |view| {
            let works = |node| self.cluster_info(node).contains("cluster_state:ok");
            let runs = |node: &usize| self.nodes[*node].state == NodeState::Runs;
            let served = (0..self.len()).filter(|node| !view.slots[*node].is_empty()).all(|node| runs(&node));
            let follows = |node: usize| match view.primaries[node] {
                Some(_) => self.node(node).info("replication", "master_link_status").as_deref() == Some("up"),
                None => !view.slots[node].is_empty(),
            };
            (served && self.running().all(|node| works(node) && follows(node))).then_some(())
        });
    }

    // ---- how they find each other

    fn form(&self) {
        let share = SLOTS.div_ceil(u16::try_from(PRIMARIES).expect("few"));
        for index in 0..PRIMARIES {
            let first = share * u16::try_from(index).expect("few");
            let slots: Vec<String> = (first..SLOTS.min(first + share)).map(|slot| slot.to_string()).collect();
            let words: Vec<&str> =
                ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
            self.node(index).command(&words);
        }
        for index in 0..self.len() {
            // Without it they would first quarrel about it.
            self.node(index).command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        for index in 1..self.len() {
            self.node(0).command(&["CLUSTER", "MEET", "127.0.0.1", &self.node(index).port().to_string()]);
        }
        for index in PRIMARIES..self.len() {
            let primary = &self.nodes[index - PRIMARIES].name;
            self.until("a replica knows its primary", || {
                self.try_command(index, &["CLUSTER", "REPLICATE", primary]).is_ok().then_some(())
            });
        }
        self.wait_until_settled();
    }

    fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|node| self.nodes[*node].state == NodeState::Runs)
    }

    fn cluster_info(&self, node: usize) -> String {
        self.try_command(node, &["CLUSTER", "INFO"]).map(text).unwrap_or_default()
    }

    /// How one node sees the cluster; nothing when it does not answer, or does not know all.
    fn view(&self, node: usize) -> Option<View> {
        let told = self.try_command(node, &["CLUSTER", "NODES"]).map(text).ok()?;
        let index = |name: &str| self.nodes.iter().position(|node| node.name == name);
        let mut slots = vec![Vec::new(); self.len()];
        let mut primaries = vec![None; self.len()];
        let mut known = 0;
        for line in told.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            // The name, the address, what it is, whom it follows, four numbers, and its slots.
            let [name, _, _, primary, _, _, _, _, ranges @ ..] = words.as_slice() else { return None };
            let Some(node) = index(name) else { continue };
            known += 1;
            primaries[node] = index(primary);
            // One in brackets is being moved.
            slots[node] = ranges.iter().filter_map(|range| range_of(range)).collect();
        }
        (known == self.len()).then_some(View { slots, primaries })
    }

    /// Waits until the nodes that run see the same, and that is as wanted.
    fn agreed<T>(&self, what: &str, wanted: impl Fn(&View) -> Option<T>) -> T {
        self.until(what, || {
            let mut views = self.running().map(|node| self.view(node));
            let first = views.next().expect("a node runs")?;
            if views.all(|view| view.as_ref() == Some(&first)) { wanted(&first) } else { None }
        })
    }

    fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        super::until(what, AGREE_WITHIN, ASK_EVERY, look, || {
            let seen = self.running().map(|node| format!("{node}: {:?}\n{}", self.view(node), self.cluster_info(node)));
            seen.collect()
        })
    }
}

fn range_of(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn text(value: Value) -> String {
    from_redis_value(value).expect("a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a key where it belongs.
    fn set(cluster: &RedisCluster, key: &str) {
        let primary = cluster.primary_of(cluster.slot_of(key));
        cluster.node(primary).command(&["SET", key, "value"]);
    }

    fn has(cluster: &RedisCluster, key: &str) -> bool {
        let primary = cluster.primary_of(cluster.slot_of(key));
        cluster.try_command(primary, &["GET", key]).is_ok_and(|value| value != Value::Nil)
    }

    #[test]
    fn a_cluster_goes_through_all_that_a_test_can_do_to_it() {
        let mut cluster = RedisCluster::start();
        assert_eq!(cluster.primaries(), [0, 1, 2]);
        let slot = cluster.slot_of("key");
        let first = cluster.primary_of(slot);
        for number in 0..20 {
            set(&cluster, &format!("{{key}}{number}"));
        }
        let moved = error_of(cluster.try_command((first + 1) % PRIMARIES, &["GET", "key"]));
        assert!(moved.starts_with("Moved"), "{moved}");

        let to = (first + 1) % PRIMARIES;
        cluster.move_slot(slot, first, to);
        assert_eq!(cluster.primary_of(slot), to);
        assert!((0..20).all(|number| has(&cluster, &format!("{{key}}{number}"))), "every key went along");

        let follower = cluster.failover(to);
        assert_eq!((cluster.primary_of(slot), cluster.replica_of(follower)), (follower, to));

        cluster.kill(follower);
        assert_eq!(cluster.primary_of(slot), to, "the other follows");
        cluster.restart(follower);
        cluster.wait_until_settled();
        assert_eq!(cluster.replica_of(to), follower, "who was killed comes back as a replica");

        cluster.pause(to);
        assert_eq!(cluster.primary_of(slot), follower);
        cluster.resume(to);
        cluster.wait_until_settled();
        assert!((0..20).all(|number| has(&cluster, &format!("{{key}}{number}"))));
    }

    fn error_of(answer: RedisResult<Value>) -> String {
        answer.expect_err("it is an error").to_string()
    }

    #[test]
    fn what_the_process_keeps_ends_with_its_keeper() {
        let server = RedisServer::start();
        let keeper = Keeper::of([server.id()].into_iter(), [server.folder.path()].into_iter());
        assert!(server.try_command(&["PING"]).is_ok());
        drop(keeper);
        let gone = || (!server.folder.path().exists() && server.try_command(&["PING"]).is_err()).then_some(());
        super::super::until("it is gone", AGREE_WITHIN, ASK_EVERY, gone, String::new);
    }
}
