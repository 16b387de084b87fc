//! Looks at the server before the store uses it: can it keep what it is given?
//!
//! Owns what is asked of a server, and the words for what its data survives. Called when a store opens, and on each
//! connection after that: behind the same address there may be another server, or the same one without its data.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};

use super::fault::{Doing, LOADING, placed, said, store_error};
use super::job::turn;
use super::lane::REPLICATED_WITHIN;
use super::layout::{Layout, Shape};
use super::link::Link;
use super::losses::Losses;
use super::places::{Address, Place};
use super::url::Target;
use crate::store::{StoreError, StoreFacts};

/// The oldest version that has what the scripts need.
const OLDEST: (u32, u32) = (6, 2);
/// The first version that knows flags of scripts and channels of shards, and tells scripts what their user may do.
const FLAGS_SINCE: (u32, u32) = (7, 0);
/// How long a server may load its data while the store opens.
const LOADS_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at a server that loads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a server that was named as the primary may be something else while the store opens.
const PRIMARY_WITHIN: Duration = Duration::from_secs(5);

/// What one server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerFacts {
    /// Another one after each start of the server.
    pub(super) run_id: String,
    /// As the server says it.
    pub(super) version: String,
    /// What its data survives.
    pub(super) durability: Durability,
    /// It has replicas, one of which may take its place.
    pub(super) is_replicated: bool,
    /// It takes writes also while no replica gets them.
    pub(super) writes_alone: bool,
}

/// What kind of servers a url names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    Watched,
    Cluster,
}

/// What the servers of a store are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreServers {
    kind: Kind,
    /// At least one.
    servers: Vec<(Address, ServerFacts)>,
    /// How many replicas must have a write before it is acknowledged, as the url asks.
    replicas: u8,
}

impl Kind {
    pub(super) const fn of(place: &Place) -> Self {
        match place {
            Place::Server(_) => Self::Single,
            Place::Sentinels { .. } => Self::Watched,
            Place::Cluster { .. } => Self::Cluster,
        }
    }
}

impl ServerFacts {
    /// Whether it knows flags of scripts, and tells scripts what their user may do.
    fn knows_flags(&self) -> bool {
        numbers(&self.version) >= FLAGS_SINCE
    }

    /// What somebody should change.
    fn advice(&self) -> Vec<&'static str> {
        let append_only = (self.durability == Durability::Nothing).then_some("set appendonly yes");
        let replicas = (self.is_replicated && self.writes_alone).then_some(
            "set min-replicas-to-write 1, so that a primary that is cut off from its replicas takes no writes that a \
             failover loses",
        );
        append_only.into_iter().chain(replicas).collect()
    }
}

impl StoreServers {
    /// Whether scripts can ask all of them what their user may do.
    pub(super) fn can_tell_rights(&self) -> bool {
        self.knows_flags()
    }

    /// Whether all of them have channels of shards.
    pub(super) fn knows_shards(&self) -> bool {
        self.knows_flags()
    }

    /// Whether all of them know flags of scripts.
    pub(super) fn knows_flags(&self) -> bool {
        self.servers.iter().all(|(_, facts)| facts.knows_flags())
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.servers.iter().map(|(address, _)| address)
    }

    /// The same for people: of several servers, what holds for the weakest.
    pub(super) fn told(&self) -> StoreFacts {
        let facts = || self.servers.iter().map(|(_, facts)| facts);
        let version = facts().map(|facts| facts.version.as_str()).min_by_key(|version| numbers(version));
        let version = version.unwrap_or_default();
        let server = match self.kind {
            Kind::Single => format!("Redis {version}"),
            Kind::Watched => format!("Redis {version}, behind Sentinel"),
            Kind::Cluster => {
                let count = self.servers.len();
                format!("Redis Cluster {version}, {count} {}", if count == 1 { "primary" } else { "primaries" })
            }
        };
        let weakest = facts().map(|facts| facts.durability).max().unwrap_or(Durability::Nothing);
        let replicated = match self.replicas {
            0 => String::new(),
            wanted => format!("; it is acknowledged only when {wanted} replicas have it too"),
        };
        let fails_over = self.kind == Kind::Watched || facts().any(|facts| facts.is_replicated);
        let of_failover = if fails_over {
            "; a failover may lose what was acknowledged and had not reached the replica that takes over"
        } else {
            ""
        };
        let mut advice: Vec<&str> = facts().flat_map(ServerFacts::advice).collect();
        advice.sort_unstable();
        advice.dedup();
        let advice = (!advice.is_empty()).then(|| advice.join("; "));
        StoreFacts { server, durability: format!("{weakest}{replicated}{of_failover}"), advice }
    }
}

/// What an acknowledged write survives.
///
/// The weakest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// `appendfsync always`.
    PowerCut,
    /// `appendfsync everysec`.
    PowerCutButSeconds,
    /// An append-only file, written to the disk at times that the server does not tell.
    AppendOnly,
    /// `appendfsync no`.
    ServerCrash,
    /// No append-only file.
    Nothing,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerCut => "appendfsync always: an acknowledged write survives a power cut",
            Self::PowerCutButSeconds => {
                "appendfsync everysec: an acknowledged write survives a crash of the server unless it comes during a slow \
                 sync; that and a power cut may lose the last seconds"
            }
            Self::ServerCrash => {
                "appendfsync no: an acknowledged write survives a crash of the server; a power cut may lose the last \
                 half minute"
            }
            Self::AppendOnly => "appendonly yes: an acknowledged write survives a crash of the server",
            Self::Nothing => "appendonly no: nothing that was written since the last snapshot survives a restart",
        })
    }
}

/// Looks at every server that takes writes, and waits for them to load. What they are is said by the engine that starts.
///
/// # Errors
/// [`StoreError::Refused`] when one may throw away what it holds, is too old or a replica; [`StoreError::Unavailable`]
/// when one cannot be reached or loads for too long.
pub(super) async fn check(link: &Link, target: &Target) -> Result<StoreServers, StoreError> {
    let kind = Kind::of(target.place());
    let over = link.timer(PRIMARY_WITHIN);
    loop {
        let checked = check_each(link, target, kind).await;
        match checked {
            // Another may be taking its place now.
            Err(StoreError::Unavailable { .. }) if kind != Kind::Single && !over.is_finished() => {
                link.whereabouts().doubt();
                link.pause(LOOK_EVERY).await;
            }
            other => return other,
        }
    }
}

async fn check_each(link: &Link, target: &Target, kind: Kind) -> Result<StoreServers, StoreError> {
    let mut servers = Vec::new();
    for address in link.primaries() {
        let info = loaded(link, &address, target.shown()).await?;
        let mut pipeline = Pipeline::new();
        ask_settings(&mut pipeline);
        let settings = read_settings(link.read_at(&address, pipeline).await.unwrap_or_default());
        let judged = judge(target.shown(), kind, &info, &settings);
        let facts = judged.map_err(|error| if kind == Kind::Single { error } else { placed(error, &address) })?;
        count_replicas(link, &address, target).await?;
        servers.push((address, facts));
    }
    Ok(StoreServers { kind, servers, replicas: target.replicas() })
}

/// Refuses a server with fewer replicas than the url asks for: no write would ever be acknowledged.
async fn count_replicas(link: &Link, address: &Address, target: &Target) -> Result<(), StoreError> {
    let wanted = target.replicas();
    if wanted == 0 {
        return Ok(());
    }
    let mut pipeline = Pipeline::new();
    // Nothing was written here: it is answered as soon as there are so many.
    pipeline.cmd("WAIT").arg(wanted).arg(REPLICATED_WITHIN.as_millis().to_string());
    let have = match link.read_at(address, pipeline).await?.first() {
        Some(Value::Int(have)) => *have,
        _ => 0,
    };
    if have >= i64::from(wanted) {
        return Ok(());
    }
    let message = format!(
        "the url asks for replicas={wanted}, and {have} replicas are connected to {address}: start more, or ask for fewer; \
         without the option writes wait for none"
    );
    Err(StoreError::Refused { store: target.shown().to_owned(), message })
}

/// The line about a server that took the place of the one that was there.
fn say(store: &str, address: &Address, facts: &ServerFacts, info: &Info) {
    let (version, maxmemory) = (&facts.version, info.field("maxmemory"));
    let durability = facts.durability;
    if durability == Durability::Nothing {
        tracing::warn!(
            store,
            %address,
            version,
            maxmemory,
            "the server was started anew; {durability}: set appendonly yes"
        );
    } else {
        tracing::info!(store, %address, version, maxmemory, "the server was started anew; {durability}");
    }
}

/// What the servers were found to be when the store opened: what every later connection must lead to.
#[derive(Debug)]
pub(super) struct Expected {
    shown: String,
    kind: Kind,
    layout: Layout,
    shape: Shape,
    losses: Arc<Losses>,
    /// Of each server when it was last spoken of.
    run_ids: Mutex<HashMap<Address, String>>,
}

impl Expected {
    pub(super) fn new(
        target: &Target,
        found: &StoreServers,
        layout: Layout,
        shape: Shape,
        losses: Arc<Losses>,
    ) -> Self {
        let run_ids = found.servers.iter().map(|(address, facts)| (address.clone(), facts.run_id.clone())).collect();
        let shown = target.shown().to_owned();
        Self { shown, kind: found.kind, layout, shape, losses, run_ids: Mutex::new(run_ids) }
    }

    /// Looks at the server of a new connection, and lays the namespace out as it was if the server has lost it.
    ///
    /// # Errors
    /// As [`check`]; [`StoreError::Refused`] also when the namespace is laid out in another way now.
    pub(super) async fn look(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), StoreError> {
        let told = |error: RedisError| store_error(&self.shown, Doing::Connecting, &error);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INFO");
        ask_settings(&mut pipeline);
        let commands = pipeline.len();
        let mut answers = connection.send_packed_commands(&pipeline, 0, commands).await.map_err(told)?.into_iter();
        let info = answers.next().unwrap_or_default().extract_error().map_err(told)?;
        let info = Info::read(text(&info));
        if info.field("loading") == "1" {
            return Err(StoreError::Unavailable { store: self.shown.clone(), message: LOADING.to_owned() });
        }
        let facts = judge(&self.shown, self.kind, &info, &read_settings(answers.collect()))?;
        self.look_at_layout(connection, address).await?;
        self.look_for_losses(connection, address).await?;
        let mut known = self.run_ids.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert(address.clone(), facts.run_id.clone()).is_some_and(|before| before != facts.run_id) {
            say(&self.shown, address, &facts, &info);
        }
        Ok(())
    }

    /// An idle process hears of a loss by its next connection.
    async fn look_for_losses(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), StoreError> {
        let told = |error: RedisError| store_error(&self.shown, Doing::Connecting, &error);
        let asked: Vec<_> = (0..self.losses.keys().len()).map(|partition| self.losses.asking(partition)).collect();
        let mut pipeline = Pipeline::with_capacity(asked.len());
        for key in self.losses.keys() {
            pipeline.cmd("GET").arg(key);
        }
        let answers = connection.send_packed_commands(&pipeline, 0, asked.len()).await.map_err(told)?;
        for (asked, answer) in asked.into_iter().zip(answers) {
            let calls = answer.extract_error().and_then(|value| Ok(redis::from_redis_value::<Option<u64>>(value)?));
            match calls {
                Ok(calls) => self.losses.looked(asked, calls.unwrap_or(0)),
                // It is a partition of another node.
                Err(error) if self.kind == Kind::Cluster && is_elsewhere(&error, address) => {}
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    async fn look_at_layout(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::new();
        self.layout.settle(&mut pipeline, self.shape);
        let answers: Result<Vec<Value>, RedisError> = pipeline.query_async(connection).await;
        if self.kind == Kind::Cluster && answers.as_ref().is_err_and(|error| is_elsewhere(error, address)) {
            return Ok(());
        }
        let answers = answers.map_err(|error| store_error(&self.shown, Doing::Connecting, &error))?;
        let (found, known) = (self.layout.read(answers.into_iter().last())?, self.shape);
        if found == known {
            return Ok(());
        }
        let said = |shape: Shape| {
            let ids = if shape.ids { "with" } else { "without" };
            format!("{} partitions, {ids} an index of ids", shape.partitions)
        };
        Err(self.layout.refuse(format!(
            "has {} now, and this process works with {}: the server has lost its data, or is another one; start this \
             process anew",
            said(found),
            said(known)
        )))
    }
}

/// Whether the layout is another node's to show, or nobody's for now.
fn is_elsewhere(error: &RedisError, address: &Address) -> bool {
    turn(error, address, false).is_some() || said(error).is_some_and(|(code, _)| code == "CLUSTERDOWN")
}

/// What the server says of itself, once it has loaded its data.
async fn loaded(link: &Link, address: &Address, shown: &str) -> Result<Info, StoreError> {
    let mut waited = Duration::ZERO;
    loop {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INFO");
        let values = link.read_at(address, pipeline).await?;
        let info = Info::read(values.first().map(text).unwrap_or_default());
        if info.field("loading") != "1" {
            return Ok(info);
        }
        if waited >= LOADS_WITHIN {
            let message = format!("it has been loading its data for {LOADS_WITHIN:?}");
            return Err(StoreError::Unavailable { store: shown.to_owned(), message });
        }
        link.pause(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

/// Asks for its settings.
fn ask_settings(pipeline: &mut Pipeline) {
    for name in ["maxmemory-policy", "appendfsync", "min-replicas-to-write"] {
        pipeline.cmd("CONFIG").arg("GET").arg(name);
    }
}

/// Its settings, as far as it tells them: hosted servers often do not.
fn read_settings(values: Vec<Value>) -> HashMap<String, String> {
    let pairs = values.into_iter().filter_map(|value| redis::from_redis_value::<(String, String)>(value).ok());
    pairs.collect()
}

fn judge(shown: &str, kind: Kind, info: &Info, settings: &HashMap<String, String>) -> Result<ServerFacts, StoreError> {
    let refuse = |message: String| Err(StoreError::Refused { store: shown.to_owned(), message });
    let version = info.field("redis_version");
    let (major, minor) = OLDEST;
    if numbers(version) < OLDEST {
        return refuse(format!("it is Redis {version}, and {major}.{minor} is needed"));
    }
    match info.field("redis_mode") {
        "sentinel" => {
            let how = "it is a sentinel: write redis+sentinel://host:port/service, with the service that it monitors";
            return refuse(how.to_owned());
        }
        "cluster" if kind != Kind::Cluster => {
            return refuse(
                "it is part of a cluster: write redis+cluster://host:port, with any of its nodes".to_owned(),
            );
        }
        _ => {}
    }
    match (info.field("role"), kind) {
        ("slave", Kind::Single) => {
            return refuse("it is a replica and takes no writes: name the primary in the url".to_owned());
        }
        ("slave", _) => {
            let message = "it is a replica now and takes no writes; looking for the primary".to_owned();
            return Err(StoreError::Unavailable { store: shown.to_owned(), message });
        }
        _ => {}
    }
    let policy = settings.get("maxmemory-policy").map_or_else(|| info.field("maxmemory_policy"), String::as_str);
    if !["", "0"].contains(&info.field("maxmemory")) && policy != "noeviction" {
        return refuse(format!(
            "with maxmemory-policy {policy} it would throw away workflows when its memory is full: \
             set maxmemory-policy noeviction"
        ));
    }
    let durability = match (info.field("aof_enabled"), settings.get("appendfsync").map(String::as_str)) {
        ("1", Some("always")) => Durability::PowerCut,
        ("1", Some("everysec")) => Durability::PowerCutButSeconds,
        ("1", Some("no")) => Durability::ServerCrash,
        ("1", _) => Durability::AppendOnly,
        _ => Durability::Nothing,
    };
    Ok(ServerFacts {
        run_id: info.field("run_id").to_owned(),
        version: version.to_owned(),
        durability,
        is_replicated: !["", "0"].contains(&info.field("connected_slaves")),
        writes_alone: settings.get("min-replicas-to-write").is_some_and(|least| least == "0"),
    })
}

/// The first two numbers of a version. One that cannot be read is as old as can be.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

/// The answer to `INFO`.
struct Info {
    text: String,
}

impl Info {
    const fn read(text: String) -> Self {
        Self { text }
    }

    /// A field, or nothing.
    fn field(&self, name: &str) -> &str {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nrole:master\r\nmaxmemory:0\r\n\
                        maxmemory_policy:noeviction\r\naof_enabled:1\r\nloading:0\r\n";

    fn judged(info: &str, settings: &[(&str, &str)]) -> Result<ServerFacts, StoreError> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        judge("redis://h", Kind::Single, &Info::read(info.to_owned()), &settings)
    }

    fn told(kind: Kind, servers: &[ServerFacts]) -> StoreFacts {
        let at = |number| Address::Tcp("h".to_owned(), number);
        let servers = servers.iter().zip(1..).map(|(facts, number)| (at(number), facts.clone())).collect();
        StoreServers { kind, servers, replicas: 0 }.told()
    }

    #[test]
    fn what_holds_for_the_weakest_of_several_is_told() {
        let strong = judged(GOOD, &[("appendfsync", "always")]).expect("good");
        let replicated = GOOD.replace("7.0.15", "6.2.9").replace("loading:0", "loading:0\r\nconnected_slaves:1");
        let weak = judged(&replicated, &[("appendfsync", "everysec"), ("min-replicas-to-write", "0")]).expect("good");
        let alone = told(Kind::Single, std::slice::from_ref(&strong));
        assert_eq!((alone.server.as_str(), alone.advice), ("Redis 7.0.15", None));
        assert!(!alone.durability.contains("failover"), "{}", alone.durability);
        let both = told(Kind::Cluster, &[strong.clone(), weak.clone()]);
        assert_eq!(both.server, "Redis Cluster 6.2.9, 2 primaries");
        assert!(both.durability.starts_with("appendfsync everysec"), "{}", both.durability);
        assert!(both.durability.contains("a failover may lose"), "{}", both.durability);
        assert!(both.advice.is_some_and(|advice| advice.starts_with("set min-replicas-to-write 1")));
        let watched = told(Kind::Watched, &[strong]);
        assert_eq!(watched.server, "Redis 7.0.15, behind Sentinel");
        assert!(watched.durability.contains("a failover may lose"), "{}", watched.durability);
        let guarded = judged(&replicated, &[("min-replicas-to-write", "1")]).expect("good");
        assert_eq!(told(Kind::Single, &[guarded]).advice, None);
    }

    #[test]
    fn a_replica_behind_sentinels_is_one_for_now() {
        let info = Info::read(GOOD.replace("role:master", "role:slave"));
        for kind in [Kind::Watched, Kind::Cluster] {
            let error = judge("redis://h", kind, &info, &HashMap::new()).expect_err("a replica");
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        let node = Info::read(GOOD.replace("role:master", "role:master\r\nredis_mode:cluster"));
        judge("redis://h", Kind::Cluster, &node, &HashMap::new()).expect("a node of a cluster");
    }

    #[test]
    fn what_its_data_survives_follows_from_its_settings() {
        let of = |fsync| judged(GOOD, &[("appendfsync", fsync)]).expect("good").durability;
        assert_eq!(of("always"), Durability::PowerCut);
        assert_eq!(of("everysec"), Durability::PowerCutButSeconds);
        assert_eq!(of("no"), Durability::ServerCrash);
        let facts = judged(GOOD, &[]).expect("good");
        assert_eq!((facts.run_id.as_str(), facts.version.as_str()), ("abc", "7.0.15"));
        assert_eq!(facts.durability, Durability::AppendOnly);
        let off = judged(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), &[("appendfsync", "always")]);
        assert_eq!(off.expect("good").durability, Durability::Nothing);
    }

    #[test]
    fn a_server_that_could_lose_workflows_is_refused_with_what_to_do() {
        let bounded = GOOD.replace("maxmemory:0", "maxmemory:100");
        let evicting = bounded.replace("noeviction", "allkeys-lru");
        for (info, settings, how) in [
            (GOOD.replace("7.0.15", "6.0.16"), &[][..], "6.2 is needed"),
            (GOOD.replace("7.0.15", "odd"), &[], "6.2 is needed"),
            (GOOD.replace("role:master", "role:slave"), &[], "name the primary"),
            (GOOD.replace("role:", "redis_mode:cluster\r\nrole:"), &[], "write redis+cluster://"),
            (GOOD.replace("role:", "redis_mode:sentinel\r\nrole:"), &[], "write redis+sentinel://"),
            (evicting.clone(), &[], "maxmemory-policy noeviction"),
            (bounded.clone(), &[("maxmemory-policy", "volatile-ttl")], "maxmemory-policy noeviction"),
        ] {
            let error = judged(&info, settings).expect_err(how);
            assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains(how), "{error}");
        }
        judged(&bounded, &[]).expect("bounded memory that nothing is evicted from is good");
        judged(&evicting, &[("maxmemory-policy", "noeviction")]).expect("what was set is newer than what is told");
        judged(&GOOD.replace("noeviction", "allkeys-lru"), &[]).expect("nothing is evicted without a bound");
        judged(&GOOD.replace("7.0.15", "6.2.0"), &[]).expect("the oldest that is enough");
    }
}
