//! The Redis store: what production runs on.
//!
//! One hash per instance, sorted sets for its places, one atomic script for any mix of transitions: the scripts and
//! their twins are in `scripts/`, the keys in `keys.rs`, the fields of an instance in `stored.rs`. Every transition is
//! that of [`crate::journal::table`], carried out by the server. Owns the connections to it and a subscriber for the
//! hints of other processes; keeps nothing in memory that the server does not have.
//!
//! # Durability
//! What is acknowledged is kept as far as the server keeps it. With `appendfsync always` it survives a power cut; with
//! `everysec` it survives a crash of the server that comes while nothing is being synced: during a sync the server
//! holds its log back, for up to two seconds, and acknowledges all the same. A power cut may lose the last two seconds,
//! and more where syncs are slow. Without an append-only file everything is lost with the server.
//!
//! # Where what is
//! `url` and `places` read where the servers are, `tls` the certificates a url names, `finder` asks where they are now,
//! `topology` is what it learns, `dial` connects, `lane` keeps one connection and what is asked on it, `switch` leads
//! each `job` to the lane of the server that has its keys, `link` is what the store asks through, `subscriber` hears
//! what is published, `heart` keeps sessions alive, `check` looks at the servers first, `losses` whether they have lost
//! something, `rights` what their user may do, `layout`
//! how a namespace is laid out on them, `fault` tells callers what went wrong.
//! `execute` carries out commands, `views` reads, `listing` makes pages, `fsck` checks everything, `mend` puts back
//! what somebody took out of the indexes.

use std::sync::Arc;

use redis::Pipeline;
use tokio::sync::{broadcast, watch};

use crate::journal::command::{Command, Reply};
use crate::journal::lease::LimitName;
use crate::journal::wire::Damaged;
use crate::store::fsck::Report;
use crate::store::{
    BoxFuture, Heart, Hinted, ListQuery, LostWrites, Outcome, Overview, Page, Pending, QueueView, SessionView,
    Snapshot, Store, StoreError, StoreFacts,
};
use crate::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::{Clock, Timestamp};

mod check;
mod dial;
mod execute;
mod fault;
mod finder;
mod fsck;
mod heart;
mod job;
mod keys;
mod lane;
mod layout;
mod link;
mod listing;
mod losses;
mod mend;
mod pack;
mod pauses;
mod places;
#[doc(hidden)]
pub mod reading;
mod rights;
mod script;
mod scripts;
mod stored;
mod subscriber;
mod switch;
mod tls;
mod topology;
mod url;
mod views;

use check::{Expected, Kind, StoreServers};
use heart::RedisHeart;
use keys::{Keys, Of, Reach};
use layout::{Layout, Shape};
use link::Link;
use losses::Losses;
use mend::MendedUpTo;
use scripts::Scripts;
use subscriber::{Channel, Subscriber};
use url::Target;

/// How many hints a receiver may lag behind.
const HINTS_KEPT: usize = 4_096;
/// In how many partitions a namespace may be whose hints are heard on a connection for each.
const SHARDS_MAX: usize = 128;
/// How many partitions a namespace has on a cluster whose url does not say: so many spread over a few nodes, and an
/// idle worker does not ask much more.
const PARTITIONS_ON_A_CLUSTER: usize = 8;

/// A store on a Redis server.
pub struct RedisStore {
    target: Target,
    namespace: Namespace,
    link: Link,
    keys: Vec<Keys>,
    /// The namespace keeps the ids of its instances in order.
    keeps_ids: bool,
    scripts: Scripts,
    /// How far the walk is that puts back what indexes lack, by partition.
    mended: Vec<MendedUpTo>,
    losses: Arc<Losses>,
    hints: broadcast::Sender<Hinted>,
    /// Names this store among those that publish hints, so that it need not hear its own.
    tag: Vec<u8>,
    /// A clock instead of the server's, for tests.
    clock: Option<Arc<dyn Clock>>,
    /// What the servers were when this store opened.
    servers: StoreServers,
    reach: Reach,
    subscriber: Subscriber,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("url", &self.target.shown()).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Connects to the server that `url` names: `redis://host/0`, `rediss://…`, `unix:///path.sock`; to the primary
    /// that sentinels name, `redis+sentinel://host,host/service`; or to the nodes of a cluster,
    /// `redis+cluster://host,host`.
    ///
    /// # Errors
    /// [`StoreError::Url`]; [`StoreError::Unavailable`] when the server does not answer within seconds;
    /// [`StoreError::Refused`] when it could lose what it holds (an eviction policy), is too old, a replica, or holds
    /// the namespace in another number of partitions than the url asks for, or without the index of ids that it asks
    /// for.
    pub async fn open(url: &str, namespace: &Namespace) -> Result<Self, StoreError> {
        Self::open_with(url, namespace, None).await
    }

    /// As [`Self::open`], with a clock in place of the server's: for tests.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(
        url: &str,
        namespace: &Namespace,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, StoreError> {
        Self::open_as(url, namespace, clock, true).await
    }

    /// As [`Self::open`], when the namespace is there already: nothing is written.
    ///
    /// # Errors
    /// As [`Self::open`], and [`StoreError::Refused`] when the server has no such namespace.
    pub async fn open_existing(url: &str, namespace: &Namespace) -> Result<Self, StoreError> {
        Self::open_as(url, namespace, None, false).await
    }

    async fn open_as(
        url: &str,
        namespace: &Namespace,
        clock: Option<Arc<dyn Clock>>,
        found: bool,
    ) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let kind = Kind::of(target.place());
        let layout = Layout::of(namespace, target.shown());
        let link = Link::open(target.clone(), layout.slot()).await?;
        let servers = check::check(&link, &target).await?;
        if servers.can_tell_rights() {
            for address in servers.addresses() {
                rights::check(&link, address, kind, namespace, target.shown()).await?;
            }
        }
        if !found {
            layout.must_exist(&link).await?;
        }
        let shape = settle(&link, &target, &layout).await?;
        let keys: Vec<Keys> = (0..shape.partitions).map(|partition| Keys::new(namespace, partition)).collect();
        let losses = Arc::new(Losses::new(target.shown(), keys.iter().map(Keys::calls).collect()));
        link.expect(Expected::new(&target, &servers, layout, shape, losses.clone()));
        let (hints, _) = broadcast::channel(HINTS_KEPT);
        let tag = RequestId::generate().0.to_be_bytes()[..8].to_vec();
        let reach = reach_of(kind, servers.knows_shards(), shape.partitions);
        let subscriber = listen(&target, &link, &keys, reach, &hints, &tag)?;
        let scripts = Scripts::new(shape.ids);
        let mended = keys.iter().map(|_| MendedUpTo::default()).collect();
        let namespace = namespace.clone();
        Ok(Self {
            target,
            namespace,
            link,
            keys,
            keeps_ids: shape.ids,
            scripts,
            mended,
            losses,
            hints,
            tag,
            clock,
            servers,
            reach,
            subscriber,
        })
    }

    fn partition_of_text(&self, text: &str) -> usize {
        if self.keys.len() == 1 {
            return 0;
        }
        let digest = blake3::hash(text.as_bytes());
        let bytes: [u8; 8] = digest.as_bytes()[..8].try_into().expect("a digest has 32 bytes");
        usize::try_from(u64::from_be_bytes(bytes) % self.keys.len() as u64).expect("below the number of partitions")
    }

    fn keys_of(&self, id: &InstanceId) -> &Keys {
        &self.keys[self.partition_of(id)]
    }

    /// The first argument of scripts: the time for tests, or nothing.
    fn now_argument(&self) -> Vec<u8> {
        self.clock.as_ref().map_or_else(Vec::new, |clock| clock.now().as_millis().to_string().into_bytes())
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { store: self.target.shown().to_owned(), message: what.to_owned() }
    }

    fn damaged_in(&self, id: &InstanceId, error: &Damaged) -> StoreError {
        self.damaged(&format!("{id}: {error}"))
    }
}

/// How far hints reach. Servers before Redis 7 have no channels of shards, and of many partitions each process would need
/// as many connections: all processes must come to the same answer.
const fn reach_of(kind: Kind, knows_shards: bool, partitions: usize) -> Reach {
    match kind {
        Kind::Single | Kind::Watched => Reach::Server,
        Kind::Cluster if knows_shards && partitions <= SHARDS_MAX => Reach::Shard,
        Kind::Cluster => Reach::Nodes,
    }
}

/// Hears what other processes tell, from now on.
fn listen(
    target: &Target,
    link: &Link,
    keys: &[Keys],
    reach: Reach,
    hints: &broadcast::Sender<Hinted>,
    tag: &[u8],
) -> Result<Subscriber, StoreError> {
    let (hints, tag) = (hints.clone(), tag.to_vec());
    let tell = move |hinted| {
        // Nobody may be listening.
        let _ = hints.send(hinted);
    };
    // One for each partition, in their order.
    let channels = keys.iter().map(|keys| Channel { name: keys.channel(), slot: keys.slot() }).collect();
    Subscriber::start(target, link.whereabouts(), channels, reach, move |heard| match heard {
        subscriber::Heard::Message(partition, message) => {
            let hints = scripts::read_published(&message, &tag).into_iter().flatten();
            hints.map(|hint| Hinted::of(partition, hint)).for_each(&tell);
        }
        // What was told meanwhile is lost.
        subscriber::Heard::Resubscribed => tell(Hinted::ANYTHING),
    })
}

/// How the namespace is laid out: as the url asks for, if it asks and is the first to come.
async fn settle(link: &Link, target: &Target, layout: &Layout) -> Result<Shape, StoreError> {
    let mut pipeline = Pipeline::new();
    let partitions = match Kind::of(target.place()) {
        Kind::Single | Kind::Watched => 1,
        Kind::Cluster => PARTITIONS_ON_A_CLUSTER,
    };
    layout.settle(&mut pipeline, Shape { partitions: target.partitions().unwrap_or(partitions), ids: target.ids() });
    let shape = layout.read(link.read(layout.slot(), pipeline).await?.pop())?;
    match target.partitions() {
        Some(wanted) if wanted != shape.partitions => Err(layout.refuse(format!(
            "has {} partitions for good, and the url asks for {wanted}: leave the option out",
            shape.partitions
        ))),
        _ if target.ids() && !shape.ids => Err(layout.refuse(
            "was first opened without ids=1 and keeps no index of ids, which would have to know every instance: leave \
             the option out, or name a new namespace"
                .to_owned(),
        )),
        _ => Ok(shape),
    }
}

impl Store for RedisStore {
    fn describe(&self) -> String {
        self.target.shown().to_owned()
    }

    fn facts(&self) -> StoreFacts {
        self.servers.told()
    }

    fn partitions(&self) -> usize {
        self.keys.len()
    }

    fn lost_writes(&self) -> watch::Receiver<LostWrites> {
        self.losses.told()
    }

    fn partition_of(&self, id: &InstanceId) -> usize {
        self.partition_of_text(id.as_str())
    }

    fn home_of(&self, name: &LimitName) -> usize {
        self.partition_of_text(&name.key())
    }

    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        Box::pin(async move { self.carry_out(partition, &batch).await })
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.hints.subscribe()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        let keys = self.keys.iter().map(|keys| (keys.of(Of::Sessions), keys.of(Of::Beats))).collect();
        Ok(Box::new(RedisHeart::new(
            &self.target,
            self.link.whereabouts(),
            keys,
            self.losses.clone(),
            self.clock.clone(),
            self.servers.knows_flags(),
        )))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(async move { self.read_told(&id).await })
    }

    fn outcome(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Outcome>, StoreError>> {
        Box::pin(async move { self.read_outcome_told(&id).await })
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        Box::pin(async move { self.read_journal(&id, run, from).await })
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        Box::pin(self.read_sessions())
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        Box::pin(self.read_held(session, limit))
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        Box::pin(self.read_outbox(before, limit))
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        Box::pin(self.read_overview())
    }

    fn mend(&self, partition: usize, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.mend_some(partition, limit))
    }

    fn lists_by_id(&self) -> bool {
        self.keeps_ids
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        Box::pin(async move { self.read_queue(&queue).await })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { self.read_list(&query).await })
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        Box::pin(self.read_now())
    }

    /// As [`Store::fsck`]. It needs some rights more than workers do: those of the docs' line have them.
    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        Box::pin(self.check())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stay_in_their_shard_where_there_are_some_and_not_too_many_are_listened_to() {
        assert_eq!(reach_of(Kind::Cluster, true, SHARDS_MAX), Reach::Shard);
        assert_eq!(reach_of(Kind::Cluster, true, SHARDS_MAX + 1), Reach::Nodes);
        assert_eq!(reach_of(Kind::Cluster, false, 1), Reach::Nodes);
        assert_eq!([Kind::Single, Kind::Watched].map(|kind| reach_of(kind, true, 1)), [Reach::Server; 2]);
    }
}
