//! How every key is spelled. The only place that does.
//!
//! All keys of one partition share the hash tag `{namespace:partition}`, so that every script finds its keys on one
//! node. Called by everything in this folder that sends a command.

use super::topology::Slot;
use crate::words::id::{InstanceId, Namespace};

/// The kinds of keys a partition has one of, in the order in which `scripts/base.lua` expects them: first those that
/// the short ways need.
const OF_PARTITION: &[&str] = &[
    "ready",
    "held",
    "sessions",
    "complete",
    "errored",
    "terminated",
    "all",
    "ids",
    "calls",
    "timers",
    "paused",
    "inbox",
    "notes",
    "lost",
    "shelf",
    "out",
    "old",
    "beats",
    "dead",
    "claims",
    "later",
    "limits",
];

/// So many of them the short ways need.
const SHORT: usize = 10;

/// A key that a partition has one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// ZSET by member: what waits for a worker: queue, begun or not, workflow, score, id, version.
    Ready,
    /// ZSET by member: what sessions hold: session, id.
    Held,
    /// ZSET by expiry: sessions that live.
    Sessions,
    /// ZSET by expiry: what has completed. What has ended in another way has a set of its own.
    Complete,
    /// ZSET by expiry: what has failed.
    Errored,
    /// ZSET by expiry: what was terminated.
    Terminated,
    /// ZSET by member: every instance: workflow, creation, id.
    All,
    /// ZSET by member: the id of every instance, in namespaces that keep it.
    Ids,
    /// STRING: how many calls of the transitions there were: see `losses.rs`.
    Calls,
    /// ZSET by due time: what sleeps.
    Timers,
    /// ZSET by time: what is paused.
    Paused,
    /// ZSET by member: what was woken for sessions: session, since, id, workflow, version.
    Inbox,
    /// ZSET by member: held instances with a notice for their owner: session, id.
    Notes,
    /// ZSET by member: what sessions held when it was terminated or restarted: session, id.
    Lost,
    /// ZSET by member: what no worker knew: workflow, version, queue, begun or not, id.
    Shelf,
    /// ZSET by time: commands for other instances: id, number.
    Out,
    /// ZSET by expiry: runs that were replaced: id, run.
    Old,
    /// HASH: how often each session's heart beat.
    Beats,
    /// HASH: sessions that were revoked and have something left, with their expiry.
    Dead,
    /// HASH: each session's newest claim that gave something.
    Claims,
    /// ZSET by member: what sleeps until its start time. It is among the timers too.
    Later,
    /// HASH: what limits hold across workers, by the keys of their names. Only scripts look into it.
    Limits,
}

impl Of {
    /// What it is called, as in the key.
    pub(super) fn name(self) -> &'static str {
        OF_PARTITION[self as usize]
    }
}

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// One that a partition has one of; the type it must have.
    OfPartition(&'static str),
    /// One of an instance, and the id as it stands in the key.
    OfInstance(Kind, &'a [u8]),
    /// None that this version knows.
    Unknown,
}

/// The keys of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// See [`Keys::instance`].
    Instance,
    /// See [`Keys::mailbox`].
    Mailbox,
    /// See [`Keys::events`].
    Events,
    /// See [`Keys::children`].
    Children,
}

impl Kind {
    const fn letter(self) -> &'static [u8] {
        match self {
            Self::Instance => b"i:",
            Self::Mailbox => b"m:",
            Self::Events => b"e:",
            Self::Children => b"c:",
        }
    }

    /// The type it must have, as the server names it.
    pub(super) const fn kept_as(self) -> &'static str {
        match self {
            Self::Instance | Self::Mailbox => "hash",
            Self::Events => "set",
            Self::Children => "zset",
        }
    }
}

/// The type of a key that a partition has one of.
fn kept_as(name: &str) -> &'static str {
    match name {
        "beats" | "dead" | "claims" | "limits" => "hash",
        "calls" => "string",
        _ => "zset",
    }
}

/// The keys of one partition.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: Vec<u8>,
    slot: Slot,
    of_partition: Vec<Vec<u8>>,
}

impl Keys {
    pub(super) fn new(namespace: &Namespace, partition: usize) -> Self {
        let prefix = format!("wf:{{{}:{partition}}}:", namespace.as_str());
        let of_partition = OF_PARTITION.iter().map(|name| format!("{prefix}{name}").into_bytes()).collect();
        Self { slot: Slot::of(prefix.as_bytes()), prefix: prefix.into_bytes(), of_partition }
    }

    /// The slot of every one of them.
    pub(super) const fn slot(&self) -> Slot {
        self.slot
    }

    /// All keys a partition has one of, in order.
    pub(super) fn all(&self) -> &[Vec<u8>] {
        &self.of_partition
    }

    /// Those of them that the short ways need, the first of all.
    pub(super) fn short(&self) -> &[Vec<u8>] {
        &self.of_partition[..SHORT]
    }

    /// One of them.
    pub(super) fn of(&self, which: Of) -> Vec<u8> {
        self.of_partition[which as usize].clone()
    }

    /// HASH: everything of an instance but its mailbox and children.
    pub(super) fn instance(&self, id: &InstanceId) -> Vec<u8> {
        self.with(Kind::Instance, id)
    }

    /// HASH: messages that are not consumed, by position.
    pub(super) fn mailbox(&self, id: &InstanceId) -> Vec<u8> {
        self.with(Kind::Mailbox, id)
    }

    /// SET: the ids of all messages of the run.
    pub(super) fn events(&self, id: &InstanceId) -> Vec<u8> {
        self.with(Kind::Events, id)
    }

    /// ZSET by number: children to close with the run.
    pub(super) fn children(&self, id: &InstanceId) -> Vec<u8> {
        self.with(Kind::Children, id)
    }

    /// The four keys of an instance, in the order in which scripts expect them.
    pub(super) fn of_instance(&self, id: &InstanceId) -> [Vec<u8>; 4] {
        [self.instance(id), self.mailbox(id), self.events(id), self.children(id)]
    }

    /// The pub/sub channel of the partition's hints.
    pub(super) fn channel(&self) -> Vec<u8> {
        [&self.prefix, b"hints".as_slice()].concat()
    }

    /// HASH: what limits hold across workers, by the keys of their names.
    pub(super) fn limits(&self) -> Vec<u8> {
        self.of(Of::Limits)
    }

    /// STRING: how many calls of the transitions there were.
    pub(super) fn calls(&self) -> Vec<u8> {
        self.of(Of::Calls)
    }

    /// What a key of this partition is; `None` for a key that is not of this partition.
    pub(super) fn read<'k>(&self, key: &'k [u8]) -> Option<Key<'k>> {
        let name = key.strip_prefix(self.prefix.as_slice())?;
        let kinds = [Kind::Instance, Kind::Mailbox, Kind::Events, Kind::Children];
        if let Some((kind, id)) = kinds.into_iter().find_map(|kind| Some((kind, name.strip_prefix(kind.letter())?))) {
            return Some(Key::OfInstance(kind, id));
        }
        let known = OF_PARTITION.iter().find(|known| known.as_bytes() == name);
        Some(known.map_or(Key::Unknown, |known| Key::OfPartition(kept_as(known))))
    }

    /// What matches every key of every partition of a namespace, and some of namespaces whose names begin as its.
    pub(super) fn pattern(namespace: &Namespace) -> String {
        format!("wf:{{{}:*}}:*", namespace.as_str())
    }

    /// Whether a key that is of none of the partitions is of one more.
    pub(super) fn is_beyond(namespace: &Namespace, key: &[u8]) -> bool {
        let rest = key.strip_prefix(format!("wf:{{{}:", namespace.as_str()).as_bytes());
        let number = rest.and_then(|rest| std::str::from_utf8(rest).ok()).and_then(|rest| rest.split_once("}:"));
        // Another namespace may be called as a partition of this one.
        number.is_some_and(|(number, name)| number.parse::<u32>().is_ok() && name != "meta")
    }

    fn with(&self, kind: Kind, id: &InstanceId) -> Vec<u8> {
        [&self.prefix, kind.letter(), id.as_str().as_bytes()].concat()
    }
}

/// How far what is published on a channel reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The one server there is.
    Server,
    /// Every node of a cluster: all pass it on, and it is heard on any.
    Nodes,
    /// The shard that has the channel's slot, and nobody else.
    Shard,
}

/// HASH: how the namespace is laid out: `schema`, `partitions` and `ids`.
pub(super) fn meta(namespace: &Namespace) -> Vec<u8> {
    format!("wf:{{{}}}:meta", namespace.as_str()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_names() {
        let keys = Keys::new(&Namespace::new("shop").expect("valid"), 3);
        assert_eq!(keys.of(Of::Ready), b"wf:{shop:3}:ready");
        assert_eq!(keys.of(Of::Sessions), b"wf:{shop:3}:sessions");
        assert_eq!(keys.of(Of::Claims), b"wf:{shop:3}:claims");
        assert_eq!(keys.of(Of::Ids), b"wf:{shop:3}:ids");
        assert_eq!(keys.short().last().expect("some"), b"wf:{shop:3}:timers");
        assert_eq!(keys.limits(), b"wf:{shop:3}:limits");
        assert_eq!(keys.calls(), b"wf:{shop:3}:calls");
        assert_eq!(keys.all().len(), Of::Limits as usize + 1);
        let of_instance = keys.of_instance(&InstanceId::new("a-1").expect("valid"));
        assert!(keys.all().iter().chain(&of_instance).all(|key| Slot::of(key) == keys.slot()));
        assert_eq!(keys.instance(&InstanceId::new("a-1").expect("valid")), b"wf:{shop:3}:i:a-1");
    }
}
