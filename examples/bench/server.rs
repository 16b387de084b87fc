//! The Redis servers under the store: started for the run where the url asks for it, and looked at before and after.

use std::ops::Add;
use std::time::Duration;

use redis::Connection;

use crate::AnyError;
use crate::spawn::{self, Settings, Spawned};

/// How a url begins that asks for a server of the run's own; settings follow: `redis:spawn?appendfsync=always`.
const SPAWN: &str = "redis:spawn";
/// The same for a cluster.
const SPAWN_CLUSTER: &str = "redis+cluster:spawn";
/// How the url of a cluster begins.
const CLUSTER: &str = "redis+cluster://";

/// Where the store is.
#[derive(Debug)]
pub(crate) struct Place {
    /// What the engine is given.
    pub(crate) url: String,
    /// Servers of the run's own live as long.
    own: Vec<Spawned>,
}

impl Place {
    /// Starts servers if `store` asks for some.
    ///
    /// # Errors
    /// When they do not start: redis-server must be in PATH.
    pub(crate) fn of(store: &str) -> Result<Self, AnyError> {
        let (settings, scheme) = if let Some(settings) = store.strip_prefix(SPAWN_CLUSTER) {
            (Settings::of(settings, true)?, CLUSTER)
        } else if let Some(settings) = store.strip_prefix(SPAWN) {
            (Settings::of(settings, false)?, "redis://")
        } else {
            return Ok(Self { url: store.to_owned(), own: Vec::new() });
        };
        let own = spawn::start(&settings)?;
        let hosts: Vec<_> = own.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        let options = settings.of_store;
        Ok(Self { url: format!("{scheme}{}/{options}", hosts.join(",")), own })
    }

    /// Whether the store is on a server: what it costs there is counted there.
    pub(crate) fn on_server(&self) -> bool {
        !self.url.starts_with("sqlite")
    }

    /// Whether processes can share it.
    pub(crate) fn can_be_shared(&self) -> bool {
        !self.in_memory()
    }

    /// Whether the store is made for this run, and goes with it.
    pub(crate) fn is_own(&self) -> bool {
        !self.own.is_empty() || self.in_memory()
    }

    fn in_memory(&self) -> bool {
        self.url.starts_with("sqlite::memory:")
    }

    /// Whether a server works on this machine's processors too, as far as the url says.
    pub(crate) fn shares_machine(&self) -> bool {
        let here = ["unix:", "127.0.0.1", "localhost", "[::1]"];
        self.on_server() && here.iter().any(|here| self.url.contains(here))
    }

    /// To each of the servers that the url names.
    fn connect(&self) -> Result<Vec<Connection>, AnyError> {
        let url = self.url.split('?').next().unwrap_or_default();
        let nodes = match url.strip_prefix(CLUSTER) {
            Some(hosts) => hosts.trim_end_matches('/').split(',').map(|host| format!("redis://{host}/")).collect(),
            None => vec![url.to_owned()],
        };
        nodes.into_iter().map(|node| Ok(redis::Client::open(node)?.get_connection()?)).collect()
    }

    /// What is acknowledged survives what: the server's or the file's settings.
    pub(crate) fn durability(&self) -> Result<String, AnyError> {
        if !self.on_server() {
            let option = self.url.split(['?', '&']).find_map(|option| option.strip_prefix("synchronous="));
            return Ok(if self.in_memory() { "none" } else { option.unwrap_or("full") }.to_owned());
        }
        let mut connection = self.connect()?.pop().ok_or("the url names no server")?;
        let mut setting = |name: &str| -> Result<String, AnyError> {
            let pair: (String, String) = redis::cmd("CONFIG").arg("GET").arg(name).query(&mut connection)?;
            Ok(pair.1)
        };
        Ok(if setting("appendonly")? == "yes" { setting("appendfsync")? } else { "none".to_owned() })
    }

    /// Begins to look at the server; nothing where the store is embedded.
    pub(crate) fn watch(&self) -> Result<Option<Watch>, AnyError> {
        if self.on_server() { Ok(Some(Watch(self.connect()?))) } else { Ok(None) }
    }
}

/// Connections to the servers that look at them. They are made before the first look, so that between two looks the
/// servers are asked nothing else.
pub(crate) struct Watch(Vec<Connection>);

impl Watch {
    /// Looks.
    ///
    /// # Errors
    /// When the server does not answer, or not as Redis does.
    pub(crate) fn look(&mut self) -> Result<Look, AnyError> {
        let look =
            |connection: &mut Connection| Look::of(&redis::cmd("INFO").arg("everything").query::<String>(connection)?);
        self.0.iter_mut().map(look).try_fold(Look::default(), |all, one| Ok(all + one?))
    }

    /// What the first is: `Redis 7.0.15`.
    ///
    /// # Errors
    /// As [`Watch::look`].
    pub(crate) fn name(&mut self) -> Result<String, AnyError> {
        let first = self.0.first_mut().ok_or("the url names no server")?;
        let info: String = redis::cmd("INFO").arg("server").query(first)?;
        Ok(format!("Redis {}", value(&info, "redis_version")?))
    }
}

/// What the servers have done so far, and hold, all together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Their CPU time.
    pub(crate) cpu: Duration,
    /// The commands they carried out, those that scripts call included.
    pub(crate) commands: u64,
    /// The scripts they carried out.
    pub(crate) scripts: u64,
    /// Writes of an instance: each transition makes one.
    pub(crate) writes: u64,
    /// What came to them from the network, in bytes.
    pub(crate) received: u64,
    /// What they sent.
    pub(crate) sent: u64,
    /// The memory of their data.
    pub(crate) bytes: u64,
}

impl Add for Look {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            commands: self.commands + other.commands,
            scripts: self.scripts + other.scripts,
            writes: self.writes + other.writes,
            received: self.received + other.received,
            sent: self.sent + other.sent,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Look {
    fn of(info: &str) -> Result<Self, AnyError> {
        let seconds = value(info, "used_cpu_user")?.parse::<f64>()? + value(info, "used_cpu_sys")?.parse::<f64>()?;
        let held = |name: &str| -> Result<u64, AnyError> { Ok(value(info, name)?.parse()?) };
        let calls = |command: &str| -> Result<u64, AnyError> {
            let line = format!("cmdstat_{command}:calls=");
            let found = info.lines().find_map(|known| known.strip_prefix(&line));
            Ok(found.map_or(Ok(0), |rest| rest.split(',').next().unwrap_or_default().parse())?)
        };
        let not_data = held("mem_clients_normal")? + held("mem_aof_buffer")?;
        Ok(Self {
            cpu: Duration::from_secs_f64(seconds),
            commands: held("total_commands_processed")?,
            scripts: calls("evalsha")?,
            writes: calls("hset")?,
            received: held("total_net_input_bytes")?,
            sent: held("total_net_output_bytes")?,
            bytes: held("used_memory")?.saturating_sub(not_data),
        })
    }
}

fn value<'a>(info: &'a str, name: &str) -> Result<&'a str, AnyError> {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.ok_or_else(|| format!("INFO has no {name}").into())
}
