//! A wire that fails on command: it stands between a client and a TCP server, and cuts, delays or loses what passes.
//!
//! What it does is what networks do. A reply is never lost alone: with it goes its connection. What a black hole holds
//! back arrives when the hole is closed. Knows no protocol. Dropping it cuts everything.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::Duration;

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    upstream: Mutex<SocketAddr>,
    faults: Mutex<Faults>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Faults {
    /// Of how many requests the reply is lost, and what a request must contain to be one of them.
    lose: (usize, Vec<u8>),
    delay: Duration,
    black_hole: bool,
    closed: bool,
    /// What the server said, while that is written down.
    said: Option<Vec<u8>>,
    /// Both sides of every connection.
    sockets: Vec<TcpStream>,
}

/// One connection's state that both of its directions know.
type Lost = Arc<AtomicBool>;

impl Proxy {
    /// Stands between whoever connects to it and the server on this port of loopback.
    ///
    /// # Panics
    /// When there is no port or thread for it.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = Mutex::new(loopback(port));
        let wire = Arc::new(Wire { upstream, faults: Mutex::default(), changed: Condvar::new() });
        let accepting = wire.clone();
        start("proxy", move || accepting.accept(&listener));
        Self { address, wire }
    }

    /// The port to connect to in place of the server's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts every connection; new ones are let through.
    pub fn cut(&self) {
        self.wire.faults().cut();
    }

    /// Leads new connections to the server on another port of loopback, and cuts those that there are.
    ///
    /// # Panics
    /// Never: nobody panics with the lock.
    pub fn lead_to(&self, port: u16) {
        *self.wire.upstream.lock().expect("nobody panics with the lock") = loopback(port);
        self.cut();
    }

    /// Lets the next requests that contain these bytes reach the server, and cuts their connections in place of the
    /// replies.
    pub fn lose_replies(&self, requests: usize, that_contain: &str) {
        self.wire.faults().lose = (requests, that_contain.as_bytes().to_vec());
    }

    /// How many of those requests are still to come.
    #[must_use]
    pub fn replies_to_lose(&self) -> usize {
        self.wire.faults().lose.0
    }

    /// Writes down what the server says from now on.
    pub fn listen(&self) {
        self.wire.faults().said = Some(Vec::new());
    }

    /// What the server has said since, on all connections.
    #[must_use]
    pub fn said(&self) -> Vec<u8> {
        self.wire.faults().said.clone().unwrap_or_default()
    }

    /// Holds everything from the server back for so long.
    pub fn delay(&self, by: Duration) {
        self.wire.faults().delay = by;
    }

    /// Lets nothing pass in either direction until told otherwise; connections are taken and stay.
    pub fn black_hole(&self, open: bool) {
        self.wire.faults().black_hole = open;
        self.wire.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut faults = self.wire.faults();
        faults.closed = true;
        faults.cut();
        drop(faults);
        self.wire.changed.notify_all();
        // Wakes the one who accepts; when it is gone, so is the reason to wake it.
        drop(TcpStream::connect(self.address));
    }
}

impl Faults {
    fn cut(&mut self) {
        for socket in self.sockets.drain(..) {
            // Its peer may have closed it.
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

impl Wire {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("nobody panics with the lock")
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if self.faults().closed {
                return;
            }
            // A server that is away is a connection that closes at once.
            let upstream = *self.upstream.lock().expect("nobody panics with the lock");
            if let Ok(server) = TcpStream::connect(upstream) {
                self.join(&client, &server).expect("a connected socket can be cloned");
            }
        }
    }

    /// Passes on what comes from either side.
    fn join(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.faults().sockets.extend([client.try_clone()?, server.try_clone()?]);
        let lost = Lost::default();
        for (from, to, replies) in [(client, server, false), (server, client, true)] {
            let (mut from, mut to, wire, lost) = (from.try_clone()?, to.try_clone()?, self.clone(), lost.clone());
            start("proxy pump", move || {
                // However it ends, the connection ends.
                let _ = wire.pump(&mut from, &mut to, &lost, replies);
                drop(from.shutdown(Shutdown::Both));
                drop(to.shutdown(Shutdown::Both));
            });
        }
        Ok(())
    }

    fn pump(&self, from: &mut TcpStream, to: &mut TcpStream, lost: &Lost, replies: bool) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1_024];
        loop {
            let read = from.read(&mut buffer)?;
            let bytes = &buffer[..read];
            if read == 0 || !self.hold(replies) || (replies && lost.load(Ordering::Acquire)) {
                return Ok(());
            }
            if !replies && self.shall_lose(bytes) {
                lost.store(true, Ordering::Release);
            }
            if replies && let Some(said) = &mut self.faults().said {
                said.extend_from_slice(bytes);
            }
            to.write_all(bytes)?;
        }
    }

    /// Waits as long as what came is to be held back; false when the proxy is gone.
    fn hold(&self, replies: bool) -> bool {
        let faults = self.faults();
        let delay = if replies { faults.delay } else { Duration::ZERO };
        let waited = self.changed.wait_timeout_while(faults, delay, |faults| !faults.closed);
        let (faults, _) = waited.expect("nobody panics with the lock");
        let faults = self.changed.wait_while(faults, |faults| faults.black_hole && !faults.closed);
        !faults.expect("nobody panics with the lock").closed
    }

    fn shall_lose(&self, request: &[u8]) -> bool {
        let mut faults = self.faults();
        let (left, mark) = &mut faults.lose;
        let hit = *left > 0 && request.windows(mark.len().max(1)).any(|window| window == mark.as_slice());
        if hit {
            *left -= 1;
        }
        hit
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    Builder::new().name(name.to_owned()).spawn(work).expect("a test can have threads");
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::redis::RedisServer;

    fn client(proxy: &Proxy) -> redis::Connection {
        let url = format!("redis://127.0.0.1:{}", proxy.port());
        let client = redis::Client::open(url).expect("a url");
        client.get_connection().expect("the proxy takes connections")
    }

    fn increment(connection: &mut redis::Connection) -> redis::RedisResult<i64> {
        redis::cmd("INCR").arg("key").query(connection)
    }

    #[test]
    fn what_is_sent_arrives_until_it_is_cut() {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        let mut connection = client(&proxy);
        let long = "x".repeat(1_000_000);
        redis::cmd("SET").arg("long").arg(&long).exec(&mut connection).expect("passed on");
        assert_eq!(redis::cmd("GET").arg("long").query::<String>(&mut connection).expect("passed on"), long);
        proxy.cut();
        increment(&mut connection).expect_err("it is cut");
        assert_eq!(increment(&mut client(&proxy)).expect("new connections pass"), 1);
    }

    #[test]
    fn the_reply_is_lost_and_the_request_is_not() {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        proxy.lose_replies(1, "INCR");
        let mut connection = client(&proxy);
        redis::cmd("PING").exec(&mut connection).expect("another request");
        increment(&mut connection).expect_err("its reply is lost");
        assert_eq!(proxy.replies_to_lose(), 0);
        assert_eq!(increment(&mut client(&proxy)).expect("only one is lost"), 2);
    }

    #[test]
    fn replies_are_delayed() {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        let mut connection = client(&proxy);
        proxy.delay(Duration::from_millis(100));
        let begun = Instant::now();
        increment(&mut connection).expect("late is not never");
        assert!(begun.elapsed() >= Duration::from_millis(100));
    }

    #[test]
    fn what_a_black_hole_holds_arrives_when_it_closes() {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        let mut connection = client(&proxy);
        proxy.black_hole(true);
        connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        assert!(increment(&mut connection).expect_err("nothing passes").is_timeout());
        proxy.black_hole(false);
        // Whether the first arrives before or after this one is for the wire to say; both arrive.
        let both = || increment(&mut client(&proxy)).is_ok_and(|count| count >= 2);
        assert!((0..1_000).any(|_| both()), "what was held never arrived");
    }
}
