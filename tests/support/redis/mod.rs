//! Redis servers of a test's own: started in milliseconds, killed, frozen and started again on the same data.
//!
//! Each has a temporary folder and a Unix socket, and a TCP port where a test needs one; nothing of the machine's own
//! server is touched. Dropping one kills it and removes its data, also when the test panics. Several of them make a
//! [`cluster`], or a primary with replicas behind [`sentinels`]. Knows nothing of workflows.

mod asking;
pub mod cluster;
mod keeper;
mod replicas;
pub mod sentinels;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult, Value};
use tempfile::TempDir;

use crate::chance::Chance;
use crate::clock::MovedClock;
use crate::power::{Disk, Taken, Unsynced};
use crate::process;
use crate::tls::Identity;

/// How often a server that starts is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// How often it is asked at most. Only a server that does not start is asked so often.
const ASKED_MAX: u32 = 30_000;
/// How long clients may take to leave a port.
const LEFT_WITHIN: Duration = Duration::from_secs(60);
/// With this variable set to 1 the user of a server's url may do no more than the docs' line for `ACL SETUSER` grants,
/// in any namespace.
const ACL_VARIABLE: &str = "WORKFLOW_TEST_ACL";
/// Who asks and prepares such servers on behalf of the tests.
const HARNESS: &str = "harness";
/// How many ports are tried: another process can take a port that was free.
const PORTS_TRIED: u32 = 10;

/// A Redis server. Without settings it writes nothing to disk.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: Option<u16>,
    tls_port: Option<u16>,
    /// Names and values, as in a configuration file.
    settings: Vec<(String, String)>,
    /// The user of its url may do what the docs grant, and no more.
    restricted: bool,
    /// What follows its syncs, where its power can be cut.
    disk: Option<Disk>,
    /// What is preloaded into it.
    environment: Vec<(&'static str, OsString)>,
    child: Child,
}

impl RedisServer {
    /// Starts one that is reached by its Unix socket.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with settings as they stand in a configuration file: `("appendonly", "yes")`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::try_start(settings, None).expect("redis-server starts: scripts/test installs it")
    }

    /// The same as [`Self::start`], for a user who may do no more than the docs' line for `ACL SETUSER` grants.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_restricted() -> Self {
        Self::try_start_as(&[], None, true).expect("redis-server starts: scripts/test installs it")
    }

    /// The same, reached by a TCP port of loopback.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_on_tcp(settings: &[(&str, &str)]) -> Self {
        let mut tries = (0..PORTS_TRIED).map(|_| Self::try_start(settings, Some(free_port())));
        tries.find_map(Result::ok).expect("redis-server starts: scripts/test installs it")
    }

    /// Starts one that will be one of several.
    fn start_node(settings: &[(&str, &str)], restricted: bool) -> Self {
        let mut tries = (0..PORTS_TRIED).map(|_| Self::try_start_as(settings, Some(free_port()), restricted));
        tries.find_map(Result::ok).expect("redis-server starts: scripts/test installs it")
    }

    /// Starts one that speaks TLS alone on a TCP port of loopback, as `identity`, whose authority's certificates it
    /// takes from clients too: it asks for one when the settings say so (`("tls-auth-clients", "yes")`), else not.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_on_tls(identity: &Identity, settings: &[(&str, &str)]) -> Self {
        let path = |path: &std::path::Path| path.display().to_string();
        let (cert, key, ca) = (path(identity.cert()), path(identity.key()), path(identity.ca()));
        let mut tries = (0..PORTS_TRIED).map(|_| {
            let port = free_port();
            let number = port.to_string();
            let mut all = vec![
                ("tls-port", number.as_str()),
                ("tls-cert-file", cert.as_str()),
                ("tls-key-file", key.as_str()),
                ("tls-ca-cert-file", ca.as_str()),
                ("tls-auth-clients", "no"),
            ];
            all.extend(settings);
            Self::try_start(&all, None).map(|server| (server, port))
        });
        let started = tries.find_map(Result::ok);
        let (mut server, port) =
            started.expect("redis-server starts with TLS: it must be built with it, as Debian's is");
        server.tls_port = Some(port);
        server
    }

    fn try_start(settings: &[(&str, &str)], port: Option<u16>) -> Result<Self, String> {
        // One with a password is as its test says.
        let wanted = std::env::var(ACL_VARIABLE).is_ok_and(|value| value == "1");
        Self::try_start_as(settings, port, wanted && settings.iter().all(|(name, _)| *name != "requirepass"))
    }

    fn try_start_as(settings: &[(&str, &str)], port: Option<u16>, restricted: bool) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a test can have a temporary folder");
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let child = spawn(&folder, port, &settings, restricted, &[]);
        let environment = Vec::new();
        let mut server = Self { folder, port, tls_port: None, settings, restricted, disk: None, environment, child };
        server.wait_until_it_answers().map(|()| server)
    }

    /// Starts one whose power can be cut, as [`Self::start_with`]; each of its syncs takes `slow_ms` longer.
    ///
    /// # Panics
    /// When it does not start, or there is no C compiler.
    #[must_use]
    pub fn start_with_power(settings: &[(&str, &str)], slow_ms: u32) -> Self {
        let mut server = Self::start_with(settings);
        server.kill();
        let disk = Disk::over(server.folder.path());
        let disk = if slow_ms > 0 { disk.slow(slow_ms) } else { disk };
        server.environment = disk.environment();
        server.disk = Some(disk);
        server.restart();
        server
    }

    /// Starts one whose clock can be set, as [`Self::start`].
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_by(clock: &MovedClock) -> Self {
        let mut server = Self::start();
        server.environment = clock.environment();
        server.restart();
        server
    }

    /// Cuts its power; it is to be started again on what is left.
    ///
    /// # Panics
    /// When it was not started with power.
    pub fn cut_power(&mut self, unsynced: Unsynced, chance: &mut Chance) -> Taken {
        self.kill();
        self.disk().cut(unsynced, chance)
    }

    /// What follows its syncs.
    ///
    /// # Panics
    /// When it was not started with power.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("it was started with power")
    }

    /// Where it is: its port if it has one, else its socket.
    #[must_use]
    pub fn url(&self) -> String {
        match (self.port, self.password()) {
            (Some(port), Some(password)) => format!("redis://:{password}@127.0.0.1:{port}"),
            (Some(port), None) => format!("redis://127.0.0.1:{port}"),
            (None, _) => self.socket_url(),
        }
    }

    /// Its port.
    ///
    /// # Panics
    /// When it was started without one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.or(self.tls_port).expect("this server was started on TCP")
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it: SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Starts it again, after a kill or in place of one, where it was and on what it wrote; waits until it has loaded
    /// that.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.restart_at_once();
        self.wait_until_it_answers().expect("redis-server starts again");
    }

    /// As [`Self::restart`], and does not wait until it has loaded what it wrote.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_at_once(&mut self) {
        self.kill();
        // A socket that a killed server left behind would be taken for that of the new one.
        drop(std::fs::remove_file(self.socket()));
        self.child = spawn(&self.folder, self.port, &self.settings, self.restricted, &self.environment);
    }

    /// A copy of what it has written to disk, as a backup is made. What it is given meanwhile may be in it or not.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copy_data(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a test can have a temporary folder");
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Kills it, puts back a copy in place of what it has written, and starts it again.
    ///
    /// # Panics
    /// When that fails.
    pub fn put_back(&mut self, copy: &TempDir) {
        self.kill();
        for entry in entries(self.folder.path()) {
            match entry.is_dir() {
                true => std::fs::remove_dir_all(entry),
                false => std::fs::remove_file(entry),
            }
            .expect("what is in a temporary folder can be removed");
        }
        copy_folder(copy.path(), self.folder.path());
        self.restart();
    }

    /// What a test says first on a socket of its own, to be allowed what no store needs; nothing, most of the time.
    #[must_use]
    pub fn harness_login(&self) -> String {
        if self.restricted { format!("AUTH {HARNESS} {HARNESS}\r\n") } else { String::new() }
    }

    /// Freezes it: SIGSTOP. It takes connections, as the system does that for it, and answers nothing.
    pub fn pause(&self) {
        process::freeze(self.id());
    }

    /// Lets it go on: SIGCONT.
    pub fn resume(&self) {
        process::thaw(self.id());
    }

    /// Asks it something on a new connection, as `redis-cli` would.
    ///
    /// # Panics
    /// When it does not answer, or answers with an error.
    pub fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same, when an error is an answer too.
    ///
    /// # Errors
    /// When it does not answer, or answers with an error.
    pub fn try_command(&self, words: &[&str]) -> RedisResult<Value> {
        asking::ask(&self.own_url(), words)
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it does not take one.
    pub fn connect(&self) -> RedisResult<Connection> {
        asking::connect(&self.own_url())
    }

    /// By which the harness reaches it.
    fn own_url(&self) -> String {
        match self.restricted {
            true => format!("unix://{}?user={HARNESS}&pass={HARNESS}", self.socket().display()),
            false => self.socket_url(),
        }
    }

    /// What it says of itself under this name in one section of `INFO`; nothing when it does not answer.
    fn info(&self, section: &str, name: &str) -> Option<String> {
        let text: String = redis::from_redis_value(self.try_command(&["INFO", section]).ok()?).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn socket_url(&self) -> String {
        let login = self.password().map(|password| format!("?pass={password}")).unwrap_or_default();
        format!("unix://{}{login}", self.socket().display())
    }

    fn password(&self) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == "requirepass").map(|(_, value)| value.as_str())
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        for _ in 0..ASKED_MAX {
            // An error is no answer yet: it may be that the server still loads what it wrote before.
            if self.try_command(&["PING"]).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("redis-server ended with {status}"));
            }
            park_timeout(ASK_EVERY);
        }
        Err("redis-server does not answer".to_owned())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may be dead already; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("an entry can be read").path())
}

/// Copies files and folders; nothing else, such as a socket.
fn copy_folder(from: &Path, to: &Path) {
    for entry in entries(from) {
        let target = to.join(entry.file_name().expect("an entry has a name"));
        if entry.is_dir() {
            std::fs::create_dir(&target).expect("a folder can be made");
            copy_folder(&entry, &target);
        } else if entry.is_file() {
            std::fs::copy(&entry, target).expect("a file can be copied");
        }
    }
}

fn spawn(
    folder: &TempDir,
    port: Option<u16>,
    settings: &[(String, String)],
    restricted: bool,
    environment: &[(&str, OsString)],
) -> Child {
    let mut command = Command::new("redis-server");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.arg("--dir").arg(folder.path()).arg("--unixsocket").arg(folder.path().join("socket"));
    command.arg("--port").arg(port.unwrap_or(0).to_string()).args(["--bind", "127.0.0.1", "--save", ""]);
    if restricted {
        // The user of urls without a login.
        let rights = acl_rights().replace("{shop}", "{*}").replace("{shop:*}", "{*:*}");
        command.args(["--user", "default", "on", "nopass"]).args(rights.split(' '));
        command.args(["--user", HARNESS, "on", &format!(">{HARNESS}"), "~*", "&*", "+@all"]);
        // Who replicates, too.
        command.args(["--masteruser", HARNESS, "--masterauth", HARNESS]);
    }
    for (name, value) in settings {
        // More than one value is more than one word.
        command.arg(format!("--{name}")).args(value.split(' '));
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.expect("redis-server is installed: scripts/test does it")
}

/// The line for `ACL SETUSER` as the docs have it, for the namespace `shop`.
///
/// # Panics
/// When the docs have no such line.
#[must_use]
pub fn acl_line() -> &'static str {
    let docs = include_str!("../../../docs/CONFIGURATION.md");
    docs.lines().find(|line| line.starts_with("ACL SETUSER ")).expect("the docs have the line")
}

/// Its rights, without the user and the password.
fn acl_rights() -> String {
    let rights: Vec<&str> = acl_line().split(' ').filter(|word| word.starts_with(['~', '&', '-', '+'])).collect();
    rights.join(" ")
}

/// Looks until there is something, and panics with what is `seen` when there is nothing in time.
fn until<T>(
    what: &str,
    within: Duration,
    every: Duration,
    look: impl Fn() -> Option<T>,
    seen: impl Fn() -> String,
) -> T {
    let give_up = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "gave up waiting until {what}:\n{}", seen());
        park_timeout(every);
    }
}

/// Waits until each of these processes has at most one connection to a port of loopback, which is that on which it
/// hears hints: what a server there answers from then on reaches nobody.
///
/// # Panics
/// When one stays.
pub fn wait_until_left(port: u16, processes: &[u32]) {
    let seen = || format!("{processes:?} are connected to {port}");
    let left = || processes.iter().all(|process| connections(port, *process) <= 1).then_some(());
    until("a port is left", LEFT_WITHIN, ASK_EVERY * 20, left, seen);
}

/// How many connections a process has to a port of loopback, as the system says.
fn connections(port: u16, process: u32) -> usize {
    // One that has ended has none.
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return 0 };
    let links = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let socket = |link: PathBuf| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    let sockets: BTreeSet<String> = links.filter_map(socket).collect();
    let remote = format!("0100007F:{port:04X}");
    let all = std::fs::read_to_string("/proc/net/tcp").expect("the system lists its connections");
    let is_it = |line: &&str| {
        // A number, both addresses, the state (1: established), five more, and the socket.
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() > 9 && words[2] == remote && words[3] == "01" && sockets.contains(words[9])
    };
    all.lines().filter(is_it).count()
}

/// Below the ports that systems give to connections by themselves: what is started again must find its port free. The
/// port on which nodes of a cluster speak to each other is ten thousand above.
const PORTS: std::ops::Range<u16> = 10_000..22_000;
const BUS: u16 = 10_000;

/// A port that nobody listened on a moment ago, and neither on that of a cluster's bus.
fn free_port() -> u16 {
    let tries = std::iter::repeat_with(|| {
        // A fresh hasher is seeded by the system.
        let chance = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
        PORTS.start + u16::try_from(chance % u64::from(PORTS.end - PORTS.start)).expect("a remainder fits")
    });
    let is_free = |port: &u16| [*port, *port + BUS].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    tries.take(1_000).find(is_free).expect("there is a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(server: &RedisServer) {
        server.command(&["SET", "key", "value"]);
    }

    fn get(server: &RedisServer) -> Option<String> {
        redis::from_redis_value(server.command(&["GET", "key"])).expect("a string or nothing")
    }

    #[test]
    fn servers_share_nothing_and_forget_everything_when_killed() {
        let (mut one, two) = (RedisServer::start(), RedisServer::start_on_tcp(&[]));
        set(&one);
        assert_eq!((get(&one).as_deref(), get(&two)), (Some("value"), None));
        one.restart();
        assert_eq!(get(&one), None);
        let mut by_port = redis::Client::open(two.url()).and_then(|client| client.get_connection()).expect("its port");
        assert_eq!(redis::cmd("PING").query::<String>(&mut by_port).expect("an answer"), "PONG");
    }

    #[test]
    fn an_append_only_server_keeps_what_it_was_given() {
        let mut server = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
        set(&server);
        let before = server.id();
        server.restart();
        assert_ne!(server.id(), before);
        assert_eq!(get(&server).as_deref(), Some("value"));
    }

    #[test]
    fn a_password_is_asked_for_and_known() {
        let server = RedisServer::start_with(&[("requirepass", "secret")]);
        set(&server);
        assert!(server.url().contains("pass=secret"));
        let without = server.url().replace("?pass=secret", "");
        let mut stranger = redis::Client::open(without).and_then(|client| client.get_connection()).expect("a socket");
        let error = redis::cmd("GET").arg("key").query::<Value>(&mut stranger).expect_err("no password");
        assert_eq!(error.code(), Some("NOAUTH"));
    }

    #[test]
    fn a_frozen_server_answers_when_it_goes_on() {
        let server = RedisServer::start();
        let mut connection = server.connect().expect("it runs");
        server.pause();
        connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        assert!(redis::cmd("PING").query::<Value>(&mut connection).expect_err("it is frozen").is_timeout());
        server.resume();
        set(&server);
    }

    #[test]
    fn who_is_connected_is_known() {
        let server = RedisServer::start_on_tcp(&[]);
        let (port, this) = (server.port(), std::process::id());
        let connect = || redis::Client::open(server.url()).and_then(|client| client.get_connection()).expect("it runs");
        assert_eq!(connections(port, this), 0);
        let (one, other) = (connect(), connect());
        assert_eq!((connections(port, this), connections(port, 1)), (2, 0));
        drop(one);
        wait_until_left(port, &[this]);
        drop(other);
    }

    #[test]
    fn nothing_is_left_behind() {
        let server = RedisServer::start();
        let (folder, url) = (server.folder.path().to_owned(), server.url());
        drop(server);
        assert!(!folder.exists());
        assert!(redis::Client::open(url).and_then(|client| client.get_connection()).is_err());
    }
}
