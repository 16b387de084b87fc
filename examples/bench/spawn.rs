//! Servers of the run's own: one, or the primaries of a cluster. They and their data go with it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

use crate::AnyError;

/// How long servers may take to start, and to become a cluster.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// The slots of a cluster.
const SLOTS: u16 = 16_384;
/// How far above its own port a node of a cluster listens for the others.
const BUS: u16 = 10_000;

/// What is asked of a server: the settings of a url.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// How many nodes of a cluster; nothing: one server, which is none.
    pub(crate) nodes: Option<u16>,
    /// Options of the store, which are not the server's: begins with `?` where there are any.
    pub(crate) of_store: String,
    of_server: Vec<String>,
}

impl Settings {
    /// Of what follows `spawn`: `?appendfsync=always&nodes=3`.
    ///
    /// # Errors
    /// When it is not settings.
    pub(crate) fn of(text: &str, is_cluster: bool) -> Result<Self, AnyError> {
        let mut settings = Self { nodes: is_cluster.then_some(3), ..Self::default() };
        for setting in text.trim_start_matches('?').split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').ok_or_else(|| format!("{setting} is not name=value"))?;
            let mut give = |words: &[&str]| settings.of_server.extend(words.iter().map(|word| (*word).to_owned()));
            match name {
                "partitions" => settings.of_store = format!("?{setting}"),
                "nodes" if is_cluster => settings.nodes = Some(value.parse()?),
                "appendfsync" => give(&["--appendonly", "yes", "--appendfsync", value]),
                _ => give(&[&format!("--{name}"), value]),
            }
        }
        Ok(settings)
    }
}

/// A server of this run's own. It and its data go when this is dropped.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) port: u16,
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

/// Starts one server, or a cluster, and waits until it answers.
///
/// # Errors
/// When it does not start: redis-server must be in PATH.
pub(crate) fn start(settings: &Settings) -> Result<Vec<Spawned>, AnyError> {
    let is_cluster = settings.nodes.is_some();
    let started: Result<Vec<_>, _> = (0..settings.nodes.unwrap_or(1)).map(|_| Spawned::start(settings)).collect();
    let servers = started?;
    for server in &servers {
        until("redis-server answers", || server.connect().map(drop))?;
    }
    if is_cluster {
        form(&servers)?;
    }
    Ok(servers)
}

impl Spawned {
    fn start(settings: &Settings) -> Result<Self, AnyError> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"]).arg(folder.path());
        if settings.nodes.is_some() {
            command.args(["--cluster-enabled", "yes"]);
        }
        let child = command.args(&settings.of_server).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let child = child.map_err(|error| format!("redis-server cannot be started: {error}"))?;
        Ok(Self { port, child, _folder: folder })
    }

    fn connect(&self) -> Result<Connection, AnyError> {
        Ok(Client::open(("127.0.0.1", self.port))?.get_connection()?)
    }
}

/// A port that is free, with the one that a node of a cluster takes above it.
fn free_port() -> Result<u16, AnyError> {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if port < u16::MAX - BUS && TcpListener::bind(("127.0.0.1", port + BUS)).is_ok() {
            return Ok(port);
        }
    }
}

/// Makes a cluster of them: each has its part of the slots.
fn form(nodes: &[Spawned]) -> Result<(), AnyError> {
    let count = u16::try_from(nodes.len())?;
    let first = nodes.first().ok_or("a cluster has at least one node")?;
    for (node, number) in nodes.iter().zip(0_u16..) {
        let mut connection = node.connect()?;
        let mut add = redis::cmd("CLUSTER");
        add.arg("ADDSLOTS").arg((0..SLOTS).filter(|slot| slot % count == number).collect::<Vec<_>>());
        let () = add.query(&mut connection)?;
        // Without it they would first quarrel about it.
        let () = redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1).query(&mut connection)?;
        if node.port != first.port {
            let () = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(first.port).query(&mut connection)?;
        }
    }
    for node in nodes {
        until("the nodes are a cluster", || {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut node.connect()?)?;
            let all = format!("cluster_known_nodes:{count}\r\n");
            if info.contains("cluster_state:ok") && info.contains(&all) { Ok(()) } else { Err(info.into()) }
        })?;
    }
    Ok(())
}

/// Tries until it succeeds.
fn until(what: &str, mut try_it: impl FnMut() -> Result<(), AnyError>) -> Result<(), AnyError> {
    let began = Instant::now();
    while let Err(error) = try_it() {
        if began.elapsed() > STARTS_WITHIN {
            return Err(format!("waited too long until {what}: {error}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
