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

use super::fault::{Doing, LOADING, store_error};
use super::lane::REPLICATED_WITHIN;
use super::layout::{Layout, Shape};
use super::link::Link;
use super::losses::Losses;
use super::url::Target;
use crate::store::{StoreError, StoreFacts};

/// The oldest version that has what the scripts need.
const OLDEST: (u32, u32) = (6, 2);
/// The first version that knows flags of scripts, and tells scripts what their user may do.
const FLAGS_SINCE: (u32, u32) = (7, 0);
/// How long a server may load its data while the store opens.
const LOADS_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at a server that loads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerFacts {
    /// Another one after each start of the server.
    pub(super) run_id: String,
    /// As the server says it.
    pub(super) version: String,
    /// What its data survives.
    pub(super) durability: Durability,
    /// How many replicas must have a write before it is acknowledged, as the url asks.
    pub(super) replicas: u8,
}

impl ServerFacts {
    /// Whether scripts can ask it what their user may do.
    pub(super) fn can_tell_rights(&self) -> bool {
        self.knows_flags()
    }

    /// The same for people.
    pub(super) fn told(&self) -> StoreFacts {
        let advice = (self.durability == Durability::Nothing).then(|| "set appendonly yes".to_owned());
        let mut durability = self.durability.to_string();
        if self.replicas > 0 {
            durability.push_str(&format!("; it is acknowledged only when {} replicas have it too", self.replicas));
        }
        StoreFacts { server: format!("Redis {}", self.version), durability, advice }
    }

    /// Whether it knows flags of scripts.
    pub(super) fn knows_flags(&self) -> bool {
        numbers(&self.version) >= FLAGS_SINCE
    }
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// `appendfsync always`.
    PowerCut,
    /// `appendfsync everysec`.
    PowerCutButSeconds,
    /// `appendfsync no`.
    ServerCrash,
    /// An append-only file, written to the disk at times that the server does not tell.
    AppendOnly,
    /// No append-only file.
    Nothing,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerCut => "appendfsync always: an acknowledged write survives a power cut",
            Self::PowerCutButSeconds => {
                "appendfsync everysec: an acknowledged write survives a crash of the server unless it comes during a slow \
                 sync; that and a power cut may lose the last two seconds"
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

/// Looks at the server, and waits for it to load. What it is is said by the engine that starts.
///
/// # Errors
/// [`StoreError::Refused`] when it may throw away what it holds, is too old or a replica; [`StoreError::Unavailable`]
/// when it cannot be reached or loads for too long.
pub(super) async fn check(link: &Link, target: &Target) -> Result<ServerFacts, StoreError> {
    let info = loaded(link, target.shown()).await?;
    let mut pipeline = Pipeline::new();
    ask_settings(&mut pipeline);
    let settings = read_settings(link.read(pipeline).await.unwrap_or_default());
    let facts = judge(target.shown(), &info, &settings)?;
    count_replicas(link, target).await?;
    Ok(ServerFacts { replicas: target.replicas(), ..facts })
}

/// Refuses a server with fewer replicas than the url asks for: no write would ever be acknowledged.
async fn count_replicas(link: &Link, target: &Target) -> Result<(), StoreError> {
    let wanted = target.replicas();
    if wanted == 0 {
        return Ok(());
    }
    let mut pipeline = Pipeline::new();
    // Nothing was written here: it is answered as soon as there are so many.
    pipeline.cmd("WAIT").arg(wanted).arg(REPLICATED_WITHIN.as_millis().to_string());
    let have = match link.read(pipeline).await?.first() {
        Some(Value::Int(have)) => *have,
        _ => 0,
    };
    if have >= i64::from(wanted) {
        return Ok(());
    }
    let message = format!(
        "the url asks for replicas={wanted}, and {have} replicas are connected: start more, or ask for fewer; without the \
         option writes wait for none"
    );
    Err(StoreError::Refused { store: target.shown().to_owned(), message })
}

/// The line about a server that took the place of the one that was there.
fn say(store: &str, facts: &ServerFacts, info: &Info) {
    let (version, maxmemory) = (&facts.version, info.field("maxmemory"));
    let durability = facts.durability;
    if durability == Durability::Nothing {
        tracing::warn!(store, version, maxmemory, "the server was started anew; {durability}: set appendonly yes");
    } else {
        tracing::info!(store, version, maxmemory, "the server was started anew; {durability}");
    }
}

/// What a server was found to be when the store opened: what every later connection must lead to.
#[derive(Debug)]
pub(super) struct Expected {
    shown: String,
    layout: Layout,
    shape: Shape,
    losses: Arc<Losses>,
    /// Of the server that was last spoken of.
    run_id: Mutex<String>,
}

impl Expected {
    pub(super) fn new(target: &Target, facts: &ServerFacts, layout: Layout, shape: Shape, losses: Arc<Losses>) -> Self {
        let run_id = Mutex::new(facts.run_id.clone());
        Self { shown: target.shown().to_owned(), layout, shape, losses, run_id }
    }

    /// Looks at the server of a new connection, and lays the namespace out as it was if the server has lost it.
    ///
    /// # Errors
    /// As [`check`]; [`StoreError::Refused`] also when the namespace is laid out in another way now.
    pub(super) async fn look(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
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
        let facts = judge(&self.shown, &info, &read_settings(answers.collect()))?;
        self.look_at_layout(connection).await?;
        self.look_for_losses(connection).await?;
        let mut known = self.run_id.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != facts.run_id {
            say(&self.shown, &facts, &info);
            *known = facts.run_id;
        }
        Ok(())
    }

    /// An idle process hears of a loss by its next connection.
    async fn look_for_losses(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let told = |error: RedisError| store_error(&self.shown, Doing::Connecting, &error);
        for (partition, key) in self.losses.keys().iter().enumerate() {
            let asked = self.losses.asking(partition);
            let calls: Option<u64> = redis::cmd("GET").arg(key).query_async(connection).await.map_err(told)?;
            self.losses.looked(asked, calls.unwrap_or(0));
        }
        Ok(())
    }

    async fn look_at_layout(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::new();
        self.layout.settle(&mut pipeline, self.shape);
        let answers: Result<Vec<Value>, RedisError> = pipeline.query_async(connection).await;
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

/// What the server says of itself, once it has loaded its data.
async fn loaded(link: &Link, shown: &str) -> Result<Info, StoreError> {
    let mut waited = Duration::ZERO;
    loop {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INFO");
        let values = link.read(pipeline).await?;
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
    for name in ["maxmemory-policy", "appendfsync"] {
        pipeline.cmd("CONFIG").arg("GET").arg(name);
    }
}

/// Its settings, as far as it tells them: hosted servers often do not.
fn read_settings(values: Vec<Value>) -> HashMap<String, String> {
    let pairs = values.into_iter().filter_map(|value| redis::from_redis_value::<(String, String)>(value).ok());
    pairs.collect()
}

fn judge(shown: &str, info: &Info, settings: &HashMap<String, String>) -> Result<ServerFacts, StoreError> {
    let refuse = |message: String| Err(StoreError::Refused { store: shown.to_owned(), message });
    let version = info.field("redis_version");
    let (major, minor) = OLDEST;
    if numbers(version) < OLDEST {
        return refuse(format!("it is Redis {version}, and {major}.{minor} is needed"));
    }
    if info.field("role") == "slave" {
        return refuse("it is a replica and takes no writes: name the primary in the url".to_owned());
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
    Ok(ServerFacts { run_id: info.field("run_id").to_owned(), version: version.to_owned(), durability, replicas: 0 })
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
        judge("redis://h", &Info::read(info.to_owned()), &settings)
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
