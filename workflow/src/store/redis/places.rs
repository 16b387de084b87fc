//! Where servers are: addresses, and the urls that name several of them.
//!
//! One server is where its url says. A service behind sentinels, and the nodes of a cluster, are where those say that are
//! asked at the addresses of the url: its seeds. Owns these forms of urls and how an address is written. Never connects.
//! No error repeats what could be a part of a password. Called by [`super::url`], and by who asks or follows a place.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// Where sentinels listen by default.
const SENTINEL_PORT: u16 = 26_379;
/// Where servers listen by default.
const SERVER_PORT: u16 = 6_379;
/// The longest name of a service.
const SERVICE_BYTES_MAX: usize = 100;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Address {
    /// A name or an address, without brackets, and a port.
    Tcp(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Where what a url names is found.
#[derive(Clone)]
pub(super) enum Place {
    /// There.
    Server(Address),
    /// Where these sentinels say that the primary of the service is.
    Sentinels {
        /// At least one.
        seeds: Vec<Address>,
        service: String,
        /// How to log in to a sentinel.
        login: RedisConnectionInfo,
    },
    /// Where these nodes say that the slots are.
    Cluster {
        /// At least one.
        seeds: Vec<Address>,
    },
}

/// The beginning of a url that names several servers.
pub(super) struct Seeds {
    /// At least one.
    pub(super) addresses: Vec<Address>,
    /// How to log in to the servers.
    pub(super) login: RedisConnectionInfo,
    /// What follows the addresses, without the first slash.
    pub(super) path: String,
    /// The options, without the question mark.
    pub(super) query: Option<String>,
}

/// What the seeds of a url are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sentinels,
    Cluster,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// Of a client's settings; `None` for one that is none of ours.
    pub(super) fn of(address: &ConnectionAddr) -> Option<Self> {
        match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self::Tcp(host.clone(), *port))
            }
            ConnectionAddr::Unix(path) => Some(Self::Socket(path.clone())),
            _ => None,
        }
    }

    /// As a client takes it.
    pub(super) fn to_dial(&self, tls: bool) -> ConnectionAddr {
        match self.clone() {
            Self::Tcp(host, port) if tls => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            Self::Tcp(host, port) => ConnectionAddr::Tcp(host, port),
            Self::Socket(path) => ConnectionAddr::Unix(path),
        }
    }

    /// As a node of a cluster writes it, `host:port`; one without a host is on the host of `who` says so.
    pub(super) fn told(text: &str, who: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Self::told_apart(host, port.parse().ok()?, who)
    }

    /// The same of a host and a port. `None` where the host is not known to the node either.
    pub(super) fn told_apart(host: &str, port: u16, who: &Self) -> Option<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match (host, who) {
            ("?", _) => None,
            ("" | "0.0.0.0" | "::", Self::Tcp(same, _)) => Some(Self::Tcp(same.clone(), port)),
            ("" | "0.0.0.0" | "::", Self::Socket(_)) => None,
            (host, _) => Some(Self::Tcp(host.to_owned(), port)),
        }
    }
}

impl Kind {
    /// Of a scheme, and whether it asks for TLS.
    pub(super) fn of(scheme: &str) -> Option<(Self, bool)> {
        match scheme {
            "redis+sentinel" => Some((Self::Sentinels, false)),
            "rediss+sentinel" => Some((Self::Sentinels, true)),
            "redis+cluster" => Some((Self::Cluster, false)),
            "rediss+cluster" => Some((Self::Cluster, true)),
            _ => None,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Sentinels => SENTINEL_PORT,
            Self::Cluster => SERVER_PORT,
        }
    }
}

impl Seeds {
    /// Reads what follows `scheme://`.
    ///
    /// # Errors
    /// What is wrong, without repeating it.
    pub(super) fn read(kind: Kind, rest: &str) -> Result<Self, &'static str> {
        if rest.contains('#') {
            return Err("a Redis store's url has no #");
        }
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query.to_owned())),
            None => (rest, None),
        };
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        if login.is_some_and(|login| login.contains('@')) {
            return Err("the url has a second @: it has one login, before all hosts");
        }
        let addresses: Option<Vec<Address>> = hosts.split(',').map(|host| address(host, kind.port())).collect();
        let addresses = addresses.ok_or("a host or port of the url is none")?;
        let mut known = std::collections::BTreeSet::new();
        if !addresses.iter().all(|address| known.insert(address)) {
            return Err("the url names a host twice");
        }
        let login =
            login.map_or(Some(RedisConnectionInfo::default()), read_login).ok_or("the login of the url is none")?;
        Ok(Self { addresses, login, path: path.to_owned(), query })
    }

    /// The service that the path names, and the database.
    ///
    /// # Errors
    /// What is wrong, without repeating it.
    pub(super) fn service(&self) -> Result<(String, i64), &'static str> {
        let (service, db) = self.path.split_once('/').unwrap_or((&self.path, ""));
        if service.is_empty() {
            return Err("the url does not name the service after the sentinels: write /service");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if service.len() > SERVICE_BYTES_MAX || !service.chars().all(is_name) {
            return Err("the service of the url is none: its name is of A-Z a-z 0-9 . _ -");
        }
        let db = if db.is_empty() { Some(0) } else { db.parse().ok().filter(|number| *number >= 0) };
        Ok((service.to_owned(), db.ok_or("the database is a number from 0")?))
    }
}

/// One host of several, with a port or without, as the client's own urls have them.
fn address(text: &str, port: u16) -> Option<Address> {
    if text.is_empty() {
        return None;
    }
    let url = redis::parse_redis_url(&format!("redis://{text}"))?;
    let explicit = url.port();
    match Address::of(url.into_connection_info().ok()?.addr())? {
        Address::Tcp(host, _) => Some(Address::Tcp(host, explicit.unwrap_or(port))),
        Address::Socket(_) => None,
    }
}

/// A login, decoded as in the client's own urls.
fn read_login(text: &str) -> Option<RedisConnectionInfo> {
    let url = redis::parse_redis_url(&format!("redis://{text}@h"))?;
    Some(url.into_connection_info().ok()?.redis_settings().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn nodes_write_addresses_in_several_ways() {
        let who = tcp("10.0.0.1", 7_000);
        for (text, read) in [
            ("10.0.0.2:7001", Some(tcp("10.0.0.2", 7_001))),
            ("node-2.internal:7001", Some(tcp("node-2.internal", 7_001))),
            ("2001:db8::1:7001", Some(tcp("2001:db8::1", 7_001))),
            ("[2001:db8::1]:7001", Some(tcp("2001:db8::1", 7_001))),
            (":7001", Some(tcp("10.0.0.1", 7_001))),
            ("0.0.0.0:7001", Some(tcp("10.0.0.1", 7_001))),
            ("?:7001", None),
            ("10.0.0.2", None),
            ("10.0.0.2:70000", None),
        ] {
            assert_eq!(Address::told(text, &who), read, "{text}");
        }
        assert_eq!(tcp("::1", 7).to_string(), "[::1]:7");
        assert_eq!(tcp("h", 7).to_string(), "h:7");
    }

    #[test]
    fn seeds_are_read_with_the_port_of_their_kind() {
        let read = |kind, rest| Seeds::read(kind, rest).map(|seeds| seeds.addresses);
        let sentinels = read(Kind::Sentinels, "h1,h2:7,[::1],[fe80::2]:9/shop").expect("they are seeds");
        assert_eq!(sentinels, [tcp("h1", 26_379), tcp("h2", 7), tcp("::1", 26_379), tcp("fe80::2", 9)]);
        assert_eq!(read(Kind::Cluster, "h1,h2").expect("seeds"), [tcp("h1", 6_379), tcp("h2", 6_379)]);
        for wrong in ["", ",", "h1,", "h1,,h2", "h1,h1:6379", "h1:0x7", "h1:70000", "h 1", "u:p@h1,u:p@h2"] {
            assert!(read(Kind::Cluster, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_login_may_hold_what_separates_hosts() {
        let seeds = Seeds::read(Kind::Cluster, "us%40er:a,b%2Fc@h1,h2").expect("seeds");
        assert_eq!((seeds.login.username(), seeds.login.password()), (Some("us@er"), Some("a,b/c")));
        assert_eq!(seeds.addresses.len(), 2);
    }
}
