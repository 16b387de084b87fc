//! Which server has which keys.
//!
//! A key lies in one of 16,384 slots, by its hash tag; a cluster gives each slot to one of its primaries. One server, and
//! one that sentinels watch, is here a cluster of one node that has every slot. Owns the hash of slots and how answers
//! about topologies are read. Never asks anybody: [`super::finder`] does.

use std::collections::BTreeSet;

use redis::Value;

use super::places::Address;

/// How many slots there are.
const SLOTS: u16 = 16_384;

/// The slot of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u16);

impl Slot {
    /// Of a key: of what stands between its first brace and the next closing one, or of all of it.
    pub(super) fn of(key: &[u8]) -> Self {
        let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
            let rest = &key[open + 1..];
            let length = rest.iter().position(|byte| *byte == b'}')?;
            (length > 0).then(|| &rest[..length])
        });
        Self(crc16(tag.unwrap_or(key)) % SLOTS)
    }

    /// Of a number, as nodes tell it.
    pub(super) fn told(number: i64) -> Option<Self> {
        u16::try_from(number).ok().filter(|number| *number < SLOTS).map(Self)
    }
}

/// CRC-16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// Which primary has which slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topology {
    /// Slots from the first to the second, in order, and who has them. They do not overlap.
    ranges: Vec<(Slot, Slot, Address)>,
    /// Every address that was told of, replicas included.
    nodes: BTreeSet<Address>,
}

/// A topology as somebody told it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) topology: Topology,
    /// The greatest number is the newest.
    pub(super) epoch: u64,
}

impl Topology {
    /// One server that has everything.
    pub(super) fn of_one(address: Address) -> Self {
        Self { ranges: vec![(Slot(0), Slot(SLOTS - 1), address.clone())], nodes: BTreeSet::from([address]) }
    }

    /// Who has a slot; nobody when a cluster has lost a part of itself.
    pub(super) fn owner(&self, slot: Slot) -> Option<&Address> {
        let at = self.ranges.partition_point(|(_, to, _)| *to < slot);
        self.ranges.get(at).filter(|(from, ..)| *from <= slot).map(|(.., address)| address)
    }

    /// Everyone who has a slot.
    pub(super) fn primaries(&self) -> BTreeSet<&Address> {
        self.ranges.iter().map(|(.., address)| address).collect()
    }

    /// Everyone who was told of.
    pub(super) const fn nodes(&self) -> &BTreeSet<Address> {
        &self.nodes
    }

    /// The same with one slot given to another.
    pub(super) fn with(&self, slot: Slot, address: &Address) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 2);
        for (from, to, owner) in &self.ranges {
            if !(*from..=*to).contains(&slot) {
                ranges.push((*from, *to, owner.clone()));
                continue;
            }
            if *from < slot {
                ranges.push((*from, Slot(slot.0 - 1), owner.clone()));
            }
            if slot < *to {
                ranges.push((Slot(slot.0 + 1), *to, owner.clone()));
            }
        }
        ranges.push((slot, slot, address.clone()));
        ranges.sort_unstable_by_key(|(from, ..)| *from);
        let mut nodes = self.nodes.clone();
        nodes.insert(address.clone());
        Self { ranges, nodes }
    }

    /// What a node answers to `CLUSTER SLOTS`; `None` when that is no such answer, or nobody has a slot.
    pub(super) fn read(answer: &Value, who: &Address) -> Option<Self> {
        let Value::Array(entries) = answer else { return None };
        let (mut ranges, mut nodes) = (Vec::new(), BTreeSet::new());
        for entry in entries {
            let Value::Array(parts) = entry else { return None };
            let [Value::Int(from), Value::Int(to), told @ ..] = parts.as_slice() else { return None };
            let (from, to) = (Slot::told(*from)?, Slot::told(*to)?);
            nodes.extend(told.iter().filter_map(|node| read_node(node, who)));
            // The first is the primary. Where it is not known, neither is who has the slots.
            if let Some(primary) = told.first().and_then(|node| read_node(node, who)) {
                ranges.push((from, to, primary));
            }
        }
        ranges.sort_unstable_by_key(|(from, ..)| *from);
        (!ranges.is_empty()).then_some(Self { ranges, nodes })
    }
}

fn read_node(node: &Value, who: &Address) -> Option<Address> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), ..] = parts.as_slice() else { return None };
    let host = match host {
        Value::Nil => String::new(),
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok()?,
        _ => return None,
    };
    Address::told_apart(&host, u16::try_from(*port).ok()?, who)
}

/// What a sentinel answers to `SENTINEL GET-MASTER-ADDR-BY-NAME`; `None` when it knows no such service.
pub(super) fn read_primary(answer: &Value, who: &Address) -> Option<Address> {
    let (host, port) = redis::from_redis_value::<Option<(String, u16)>>(answer.clone()).ok()??;
    Address::told_apart(&host, port, who)
}

/// How new what a sentinel knows of a service is, from its answer to `SENTINEL MASTER`. One that does not say is oldest.
pub(super) fn read_config_epoch(answer: Value) -> u64 {
    let fields: Vec<String> = redis::from_redis_value(answer).unwrap_or_default();
    let value = fields.chunks_exact(2).find(|pair| pair[0] == "config-epoch").and_then(|pair| pair[1].parse().ok());
    value.unwrap_or_default()
}

/// How new what a node knows of its cluster is, from its answer to `CLUSTER INFO`: a node that is cut off from the others
/// is older than any that is not. One that does not say is oldest.
pub(super) fn read_cluster_epoch(answer: Value) -> u64 {
    let text: String = redis::from_redis_value(answer).unwrap_or_default();
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim().to_owned()
    };
    let epoch: u64 = field("cluster_current_epoch").parse().unwrap_or_default();
    if field("cluster_state") == "ok" { epoch.saturating_add(1) } else { epoch / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn node(host: Value, port: i64) -> Value {
        let metadata = Value::Array(Vec::new());
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec()), metadata])
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(from: i64, to: i64, nodes: &[Value]) -> Value {
        Value::Array([&[Value::Int(from), Value::Int(to)], nodes].concat())
    }

    #[test]
    fn slots_are_those_that_servers_compute() {
        // As `CLUSTER KEYSLOT` answers.
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo", 12_182),
            ("somekey", 11_058),
            ("foo{hash_tag}", 2_515),
            ("{hash_tag}bar", 2_515),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
        ] {
            assert_eq!(Slot::of(key.as_bytes()), Slot(slot), "{key}");
        }
    }

    #[test]
    fn a_topology_is_read_as_nodes_tell_it() {
        let who = tcp("h", 7_000);
        let answer = Value::Array(vec![
            range(5_461, 16_383, &[node(text("10.0.0.2"), 7_001), node(text("10.0.0.3"), 7_002)]),
            range(0, 5_459, &[node(Value::Nil, 7_000), node(text("?"), 7_003)]),
        ]);
        let topology = Topology::read(&answer, &who).expect("a topology");
        assert_eq!(topology.owner(Slot(0)), Some(&tcp("h", 7_000)));
        assert_eq!(topology.owner(Slot(5_460)), None);
        assert_eq!(topology.owner(Slot(5_461)), Some(&tcp("10.0.0.2", 7_001)));
        assert_eq!(topology.owner(Slot(16_383)), Some(&tcp("10.0.0.2", 7_001)));
        assert_eq!(topology.primaries().len(), 2);
        assert_eq!(topology.nodes().len(), 3);
        let unknown = Value::Array(vec![range(0, 16_383, &[node(text("?"), 7_000)])]);
        for odd in [Value::Nil, Value::Array(Vec::new()), Value::Array(vec![Value::Int(1)]), unknown] {
            assert_eq!(Topology::read(&odd, &who), None);
        }
        let beyond = Value::Array(vec![range(0, 16_384, &[node(text("h"), 1)])]);
        assert_eq!(Topology::read(&beyond, &who), None);
    }

    #[test]
    fn one_slot_is_given_to_another_and_no_other_is() {
        let topology = Topology::of_one(tcp("a", 1));
        for slot in [0, 7, SLOTS - 1] {
            let moved = topology.with(Slot(slot), &tcp("b", 2)).with(Slot(slot), &tcp("c", 3));
            for other in [0, 1, 6, 7, 8, SLOTS - 2, SLOTS - 1] {
                let owner = if other == slot { tcp("c", 3) } else { tcp("a", 1) };
                assert_eq!(moved.owner(Slot(other)), Some(&owner), "{slot} {other}");
            }
            assert_eq!(moved.primaries().len(), 2);
        }
    }

    #[test]
    fn sentinels_say_where_a_primary_is_and_how_new_that_is() {
        let who = tcp("h", 26_379);
        let told = Value::Array(vec![text("10.0.0.1"), text("6379")]);
        assert_eq!(read_primary(&told, &who), Some(tcp("10.0.0.1", 6_379)));
        assert_eq!(read_primary(&Value::Nil, &who), None);
        let fields = ["name", "shop", "config-epoch", "12", "quorum", "2"].map(text).to_vec();
        assert_eq!(read_config_epoch(Value::Array(fields)), 12);
        assert_eq!(read_config_epoch(Value::Nil), 0);
    }

    #[test]
    fn a_node_that_is_cut_off_is_older_than_one_that_is_not() {
        let told =
            |state: &str| read_cluster_epoch(text(&format!("cluster_state:{state}\r\ncluster_current_epoch:7\r\n")));
        assert!(told("ok") > told("fail"));
        assert_eq!(read_cluster_epoch(Value::Nil), 0);
    }
}
