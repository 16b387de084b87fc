//! Something that answers in place of a server: it stands between clients and a Redis server on TCP, understands what is
//! asked, and while a trouble lasts answers what it was told to in place of the server.
//!
//! Requests of a connection are passed on one after the other, so that a wrong answer comes in its place. Once a
//! connection has subscribed, what the server says is passed on as it comes. Knows the store's scripts by the first line
//! of their files, and the commands in a call of `transitions` by their letters. Dropping it cuts everything.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::Duration;

/// Each look of the store, and a line that only its text has.
const SCRIPTS: &[(&str, &str)] = &[
    ("due", "-- Finds sleeping instances whose time has come."),
    ("stuck", "-- Finds what waits too long in inboxes."),
    ("expired", "-- Finds finished instances and old runs whose retention is over."),
    ("candidates", "-- Finds what a claim could give."),
    ("tied", "-- Finds what a session holds and what was woken for it."),
    ("hearts", "-- Reads the sessions of all workers and how often their hearts beat."),
    ("overview", "-- Counts what there is, and what nobody can run."),
    ("beat", "-- Keeps a session alive."),
];
/// All others are `transitions`, whose arguments begin with four that are not commands.
const TRANSITIONS: &str = "transitions";
const BEFORE_COMMANDS: usize = 4;

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The command and its arguments.
    words: Vec<Vec<u8>>,
    /// The script that it calls, by its file.
    script: Option<&'static str>,
}

/// What becomes of a request while a trouble lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is answered with this error: `LOADING Redis is loading the dataset in memory`.
    Error(&'static str),
    /// It is answered with this text.
    Says(&'static str),
    /// It is carried out and answered so much later.
    Stall(Duration),
    /// It is not carried out and never answered; the connection stays as it is.
    HalfOpen,
    /// It is not carried out, and its connection is closed.
    Reset,
}

/// Which requests a trouble is for.
pub type Whose = fn(&Asked) -> bool;

/// An impostor in front of one server.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    upstream: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<(Whose, Trouble)>,
    /// How many requests met the newest trouble.
    met: usize,
    /// How many requests there were.
    asked: usize,
    closed: bool,
    scripts: HashMap<Vec<u8>, &'static str>,
    /// Both sides of every connection.
    sockets: Vec<TcpStream>,
}

impl Asked {
    /// The command, in capitals.
    #[must_use]
    pub fn command(&self) -> String {
        String::from_utf8_lossy(&self.words[0]).to_uppercase()
    }

    /// Whether it looks with this script, or is a beat.
    #[must_use]
    pub fn calls(&self, script: &str) -> bool {
        self.script == Some(script)
    }

    /// Whether it calls `transitions` with a command of this letter.
    #[must_use]
    pub fn commands(&self, letter: u8) -> bool {
        let keys = self.words.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok());
        let first = 3 + keys.unwrap_or(0) + BEFORE_COMMANDS;
        self.calls(TRANSITIONS) && self.words.iter().skip(first).any(|packed| packed.first() == Some(&letter))
    }

    /// Whether one of its words ends so.
    #[must_use]
    pub fn names(&self, end: &str) -> bool {
        self.words.iter().any(|word| word.ends_with(end.as_bytes()))
    }
}

impl Impostor {
    /// Stands between whoever connects to it and the server on this port of loopback.
    ///
    /// # Panics
    /// When there is no port or thread for it.
    #[must_use]
    pub fn of(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = SocketAddr::from(([127, 0, 0, 1], port));
        let wire = Arc::new(Wire { upstream, state: Mutex::default(), changed: Condvar::new() });
        let accepting = wire.clone();
        start("impostor", move || accepting.accept(&listener));
        Self { address, wire }
    }

    /// Where it is, as a store's url.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.address.port())
    }

    /// Begins to make trouble, in place of any that it makes, until it is told otherwise.
    pub fn trouble(&self, whose: Whose, trouble: Trouble) {
        let mut state = self.wire.state();
        (state.trouble, state.met) = (Some((whose, trouble)), 0);
    }

    /// Makes no more trouble. What was never answered loses its connection.
    pub fn relent(&self) {
        self.wire.state().trouble = None;
        self.wire.changed.notify_all();
    }

    /// How many requests met the newest trouble.
    #[must_use]
    pub fn met(&self) -> usize {
        self.wire.state().met
    }

    /// How many requests there were so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.wire.state().asked
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let mut state = self.wire.state();
        state.closed = true;
        state.trouble = None;
        for socket in state.sockets.drain(..) {
            // Its peer may have closed it.
            drop(socket.shutdown(Shutdown::Both));
        }
        drop(state);
        self.wire.changed.notify_all();
        // Wakes the one who accepts; when it is gone, so is the reason to wake it.
        drop(TcpStream::connect(self.address));
    }
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if self.state().closed {
                return;
            }
            // A server that is away is a connection that closes at once.
            let Ok(server) = TcpStream::connect(self.upstream) else { continue };
            let wire = self.clone();
            start("impostor's client", move || {
                // However it ends, the connection ends.
                let _ = wire.serve(&client, &server);
                drop(client.shutdown(Shutdown::Both));
                drop(server.shutdown(Shutdown::Both));
            });
        }
    }

    fn serve(&self, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.state().sockets.extend([client.try_clone()?, server.try_clone()?]);
        let mut requests = BufReader::new(client.try_clone()?);
        let mut replies = BufReader::new(server.try_clone()?);
        let (mut to_client, mut to_server) = (client, server);
        loop {
            let mut raw = Vec::new();
            let words = read_request(&mut requests, &mut raw)?;
            let asked = self.understand(words);
            match self.meets(&asked) {
                Some(Trouble::Error(words)) => {
                    to_client.write_all(format!("-{words}\r\n").as_bytes())?;
                    continue;
                }
                Some(Trouble::Says(words)) => {
                    to_client.write_all(format!("${}\r\n{words}\r\n", words.len()).as_bytes())?;
                    continue;
                }
                Some(Trouble::Stall(by)) => self.hold(by),
                Some(Trouble::HalfOpen) => {
                    self.hold(Duration::MAX);
                    return Ok(());
                }
                Some(Trouble::Reset) => return Ok(()),
                None => {}
            }
            to_server.write_all(&raw)?;
            if asked.command() == "SUBSCRIBE" {
                return pass_on(requests, replies, client, server);
            }
            let mut reply = Vec::new();
            read_reply(&mut replies, &mut reply)?;
            to_client.write_all(&reply)?;
        }
    }

    fn understand(&self, words: Vec<Vec<u8>>) -> Asked {
        let mut asked = Asked { words, script: None };
        let mut state = self.state();
        state.asked += 1;
        match (asked.command().as_str(), asked.words.as_slice()) {
            ("SCRIPT", [_, _, source]) => {
                let text = String::from_utf8_lossy(source);
                let known = SCRIPTS.iter().find(|(_, line)| text.contains(line)).map_or(TRANSITIONS, |(name, _)| name);
                state.scripts.insert(redis::Script::new(&text).get_hash().as_bytes().to_vec(), known);
            }
            ("EVALSHA", [_, hash, ..]) => asked.script = state.scripts.get(hash).copied(),
            _ => {}
        }
        asked
    }

    fn meets(&self, asked: &Asked) -> Option<Trouble> {
        let mut state = self.state();
        let trouble = state.trouble.as_ref().filter(|(whose, _)| whose(asked)).map(|(_, trouble)| trouble.clone());
        state.met += usize::from(trouble.is_some());
        trouble
    }

    /// Waits so long, or until the trouble is over.
    fn hold(&self, by: Duration) {
        let state = self.state();
        let by = by.min(Duration::from_secs(3_600));
        drop(self.changed.wait_timeout_while(state, by, |state| state.trouble.is_some() && !state.closed));
    }
}

/// Passes on what comes from either side, as it comes.
fn pass_on(
    mut requests: BufReader<TcpStream>,
    mut replies: BufReader<TcpStream>,
    client: &TcpStream,
    server: &TcpStream,
) -> io::Result<()> {
    let (mut to_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    start("impostor's subscriber", move || {
        let _ = io::copy(&mut replies, &mut to_client);
        drop(to_client.shutdown(Shutdown::Both));
    });
    io::copy(&mut requests, &mut to_server).map(|_| ())
}

/// Reads a request, which clients write as a list of words.
fn read_request(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Vec<Vec<u8>>> {
    let count = read_line(from, raw)?;
    let mut words = Vec::new();
    for _ in 0..number(&count)? {
        let size = read_line(from, raw)?;
        let begin = raw.len();
        read_bytes(from, raw, number(&size)? + 2)?;
        words.push(raw[begin..raw.len() - 2].to_vec());
    }
    if words.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(words) }
}

/// Reads one answer of either version of the protocol, with all that is in it.
fn read_reply(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<()> {
    let line = read_line(from, raw)?;
    match line.first() {
        // A length below nothing is nothing.
        Some(b'$' | b'=' | b'!') => match number(&line) {
            Ok(length) => read_bytes(from, raw, length + 2),
            Err(_) => Ok(()),
        },
        Some(b'*' | b'~' | b'>') => (0..number(&line).unwrap_or(0)).try_for_each(|_| read_reply(from, raw)),
        Some(b'%' | b'|') => (0..2 * number(&line).unwrap_or(0)).try_for_each(|_| read_reply(from, raw)),
        _ => Ok(()),
    }
}

/// Reads a line; without its end.
fn read_line(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let begin = raw.len();
    if from.read_until(b'\n', raw)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(raw[begin..].trim_ascii_end().to_vec())
}

fn read_bytes(from: &mut impl BufRead, raw: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let begin = raw.len();
    raw.resize(begin + count, 0);
    from.read_exact(&mut raw[begin..])
}

/// The number after the first letter of a line.
fn number(line: &[u8]) -> io::Result<usize> {
    let text = line.get(1..).and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    Builder::new().name(name.to_owned()).spawn(work).expect("a test can have threads");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::RedisServer;

    fn client(impostor: &Impostor) -> redis::Connection {
        let client = redis::Client::open(impostor.url()).expect("a url");
        client.get_connection().expect("the impostor takes connections")
    }

    fn increment(connection: &mut redis::Connection) -> redis::RedisResult<i64> {
        redis::cmd("INCR").arg("key").query(connection)
    }

    fn increments(asked: &Asked) -> bool {
        asked.command() == "INCR"
    }

    #[test]
    fn an_error_comes_in_its_place_and_nothing_is_carried_out() {
        let server = RedisServer::start_on_tcp(&[]);
        let impostor = Impostor::of(server.port());
        let mut connection = client(&impostor);
        assert_eq!(increment(&mut connection).expect("it is passed on"), 1);
        impostor.trouble(increments, Trouble::Error("LOADING for a while"));
        let mut pipeline = redis::pipe();
        pipeline.cmd("ECHO").arg("one").cmd("INCR").arg("key").cmd("ECHO").arg("two").ignore_errors();
        let answers: Vec<redis::RedisResult<redis::Value>> = pipeline.query(&mut connection).expect("three answers");
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(impostor.met(), 1);
        impostor.relent();
        assert_eq!(increment(&mut connection).expect("it is passed on"), 2);
    }

    #[test]
    fn what_is_reset_or_half_open_is_not_carried_out() {
        let server = RedisServer::start_on_tcp(&[]);
        let impostor = Impostor::of(server.port());
        for trouble in [Trouble::Reset, Trouble::HalfOpen] {
            let mut connection = client(&impostor);
            connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            impostor.trouble(increments, trouble);
            increment(&mut connection).expect_err("it is not answered");
            impostor.relent();
        }
        impostor.trouble(increments, Trouble::Stall(Duration::from_millis(50)));
        assert_eq!(increment(&mut client(&impostor)).expect("late is not never"), 1);
    }
}
