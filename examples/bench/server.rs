//! The Redis server under the store: started for the run where the url asks for it, and looked at before and after.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;
use tempfile::TempDir;

use crate::AnyError;

/// How a url begins that asks for a server of the run's own; settings follow: `redis:spawn?appendfsync=always`.
const SPAWN: &str = "redis:spawn";
/// How long a server may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Where the store is.
#[derive(Debug)]
pub(crate) struct Place {
    /// What the engine is given.
    pub(crate) url: String,
    /// A server of the run's own lives as long.
    own: Option<Spawned>,
}

/// A server of this run's own. It and its data go when this is dropped.
#[derive(Debug)]
struct Spawned {
    child: Child,
    _folder: TempDir,
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Place {
    /// Starts a server if `store` asks for one.
    ///
    /// # Errors
    /// When it does not start: redis-server must be in PATH.
    pub(crate) fn of(store: &str) -> Result<Self, AnyError> {
        let Some(settings) = store.strip_prefix(SPAWN) else {
            return Ok(Self { url: store.to_owned(), own: None });
        };
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"]).arg(folder.path());
        let mut options = String::new();
        for setting in settings.trim_start_matches('?').split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').ok_or_else(|| format!("{setting} is not name=value"))?;
            match name {
                // The store's own option; all others are the server's.
                "partitions" => options = format!("?{setting}"),
                "appendfsync" => drop(command.args(["--appendonly", "yes", "--appendfsync", value])),
                _ => drop(command.args([&format!("--{name}"), value])),
            }
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let child = child.map_err(|error| format!("redis-server cannot be started: {error}"))?;
        let own = Some(Spawned { child, _folder: folder });
        let place = Self { url: format!("redis://127.0.0.1:{port}/{options}"), own };
        place.wait_until_it_answers()?;
        Ok(place)
    }

    fn wait_until_it_answers(&self) -> Result<(), AnyError> {
        let began = Instant::now();
        while let Err(error) = self.connect() {
            if began.elapsed() > STARTS_WITHIN {
                return Err(format!("redis-server does not start: {error}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
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
        self.own.is_some() || self.in_memory()
    }

    fn in_memory(&self) -> bool {
        self.url.starts_with("sqlite::memory:")
    }

    fn connect(&self) -> Result<Connection, AnyError> {
        let url = self.url.split('?').next().unwrap_or_default();
        Ok(redis::Client::open(url)?.get_connection()?)
    }

    /// What is acknowledged survives what: the server's or the file's settings.
    pub(crate) fn durability(&self) -> Result<String, AnyError> {
        if !self.on_server() {
            let option = self.url.split(['?', '&']).find_map(|option| option.strip_prefix("synchronous="));
            return Ok(if self.in_memory() { "none" } else { option.unwrap_or("full") }.to_owned());
        }
        let mut connection = self.connect()?;
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

/// A connection to the server that looks at it. It is made before the first look, so that between two looks the server
/// is asked nothing else.
pub(crate) struct Watch(Connection);

impl Watch {
    /// Looks.
    ///
    /// # Errors
    /// When the server does not answer, or not as Redis does.
    pub(crate) fn look(&mut self) -> Result<Look, AnyError> {
        Look::of(&redis::cmd("INFO").arg("everything").query::<String>(&mut self.0)?)
    }

    /// What the server is: `Redis 7.0.15`.
    ///
    /// # Errors
    /// As [`Watch::look`].
    pub(crate) fn name(&mut self) -> Result<String, AnyError> {
        let info: String = redis::cmd("INFO").arg("server").query(&mut self.0)?;
        Ok(format!("Redis {}", value(&info, "redis_version")?))
    }
}

/// What a server has done so far, and holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Its CPU time.
    pub(crate) cpu: Duration,
    /// The commands it carried out, those that scripts call included.
    pub(crate) commands: u64,
    /// The scripts it carried out.
    pub(crate) scripts: u64,
    /// Writes of an instance: each transition makes one.
    pub(crate) writes: u64,
    /// What came to it from the network, in bytes.
    pub(crate) received: u64,
    /// What it sent.
    pub(crate) sent: u64,
    /// The memory of its data.
    pub(crate) bytes: u64,
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
