//! Reads the store's url: `redis://`, `rediss://`, `unix://` and `redis+unix://` for one server, `redis+sentinel://` and
//! `redis+cluster://` (`rediss+…` over TLS) for several, with their options.
//!
//! Owns what a valid url is, and the settings of every connection that follow from it; the forms that name several servers
//! are read by [`super::places`]. Never connects. No error and no
//! formatting repeats a user or a password, nor what could be one in a url that is written wrongly. Called by the store
//! when it opens.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult, TlsCertificates,
};

use super::places::{Address, Kind, Place, Seeds};
use super::tls::{self, Files};
use crate::store::StoreError;
use crate::words::spelling;

/// The most partitions a namespace can have.
const PARTITIONS_MAX: usize = 1_024;
/// The most replicas a write can wait for.
const REPLICAS_MAX: u8 = 9;
/// A connection that is silent for so long is probed, so that a peer that vanished is noticed.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
/// Between two probes.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

const FORMS: &str = "write redis://[user:password@]host[:port][/db], rediss://… for TLS[?ca=&cert=&key=], \
                     unix:///path/to.sock[?db=&user=&pass=], \
                     redis+sentinel://[user:password@]host[:port],…/service[/db][?sentinel_user=&sentinel_pass=], or \
                     redis+cluster://[user:password@]host[:port],…, rediss+sentinel:// and rediss+cluster:// for TLS, \
                     each with ?partitions=1..1024, ?ids=1 and ?replicas=1..9 or without; in a password, write / ? # @ : % as %2F %3F %23 %40 %3A %25";

/// A valid url.
#[derive(Clone)]
pub(super) struct Target {
    place: Place,
    /// How to log in to a server, and the database.
    login: RedisConnectionInfo,
    /// For TLS.
    certificates: Option<TlsCertificates>,
    partitions: Option<usize>,
    ids: bool,
    replicas: u8,
    shown: String,
}

/// What the options say that are not the client's.
#[derive(Default)]
struct Options {
    partitions: Option<usize>,
    ids: bool,
    replicas: u8,
    files: Files,
    sentinel_user: Option<String>,
    sentinel_pass: Option<String>,
}

/// Which answers a connection wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Those of every server, alike in all versions.
    Answers,
    /// Also what the server says unasked: published messages.
    Pushes,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.shown).finish()
    }
}

impl Target {
    /// Reads a url.
    ///
    /// # Errors
    /// [`StoreError::Url`], which says what is wrong without repeating it.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        match Kind::of(scheme) {
            Some((kind, tls)) => Self::parse_several(scheme, kind, tls, rest),
            None => Self::parse_one(url),
        }
    }

    /// A url that names one server.
    fn parse_one(url: &str) -> Result<Self, StoreError> {
        let Some(mut url) = redis::parse_redis_url(url) else {
            return Err(refuse("a Redis store's url cannot be read"));
        };
        let own: &[&str] = match url.scheme() {
            "redis" => &["partitions", "ids", "replicas"],
            "rediss" => &["partitions", "ids", "replicas", "ca", "cert", "key"],
            "unix" | "redis+unix" => &["partitions", "ids", "replicas", "db", "user", "pass"],
            _ => return Err(refuse("a Redis store's url starts with redis:, rediss: or unix:")),
        };
        if url.fragment().is_some() {
            return Err(refuse("a Redis store's url has no #"));
        }
        // A plus is a plus: that it can stand for a space is a custom of forms, and passwords and paths have it.
        let plain = url.query().map(|query| query.replace('+', "%2B"));
        url.set_query(plain.as_deref());
        let own = read_options(url.query_pairs(), own)?;
        // Nothing of what is wrong is repeated: a password with an unescaped character can look like any part of a url.
        let wrong = match url.scheme() {
            "unix" | "redis+unix" => "the path of the socket is not absolute, or the database is none",
            _ => "the host, port or database is none",
        };
        let info = url.clone().into_connection_info().map_err(|_| refuse(wrong))?;
        let tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let address = Address::of(info.addr()).ok_or_else(|| refuse(wrong))?;
        // What stands at the end of a url would not be read again as it is shown.
        if matches!(&address, Address::Socket(path) if path.to_string_lossy().contains(char::is_control)) {
            return Err(refuse("the path of the socket has a control character"));
        }
        Self::with(url.scheme(), tls, Place::Server(address), info.redis_settings().clone(), own)
    }

    /// A url that names who knows where the servers are.
    fn parse_several(scheme: &str, kind: Kind, tls: bool, rest: &str) -> Result<Self, StoreError> {
        let seeds = Seeds::read(kind, rest).map_err(refuse)?;
        let of_sentinels: &[&str] = if kind == Kind::Sentinels { &["sentinel_user", "sentinel_pass"] } else { &[] };
        let of_tls: &[&str] = if tls { &["ca", "cert", "key"] } else { &[] };
        let own = [&["partitions", "ids", "replicas"], of_sentinels, of_tls].concat();
        let plain = seeds.query.as_ref().map(|query| query.replace('+', "%2B")).unwrap_or_default();
        let options = redis::parse_redis_url(&format!("redis://h?{plain}"));
        let mut options =
            read_options(options.ok_or_else(|| refuse("the options cannot be read"))?.query_pairs(), &own)?;
        let (place, db) = match kind {
            Kind::Sentinels => {
                let (service, db) = seeds.service().map_err(refuse)?;
                let login = sentinel_login(options.sentinel_user.take(), options.sentinel_pass.take())?;
                (Place::Sentinels { seeds: seeds.addresses, service, login }, db)
            }
            Kind::Cluster if !["", "0"].contains(&seeds.path.as_str()) => {
                return Err(refuse("a cluster has no database but 0: nothing follows its hosts"));
            }
            Kind::Cluster => (Place::Cluster { seeds: seeds.addresses }, 0),
        };
        Self::with(scheme, tls, place, seeds.login.set_db(db), options)
    }

    fn with(
        scheme: &str,
        tls: bool,
        place: Place,
        login: RedisConnectionInfo,
        options: Options,
    ) -> Result<Self, StoreError> {
        check_login(&login)?;
        let shown = shown(scheme, &place, login.db(), &options);
        let Options { partitions, ids, replicas, files, .. } = options;
        let certificates = tls.then(|| files.load().map_err(|message| StoreError::Url { message })).transpose()?;
        Ok(Self { place, login, certificates, partitions, ids, replicas, shown })
    }

    /// Where it is, or who knows.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The url without user and password, for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it asks for TLS.
    pub(super) const fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// How many partitions the url asks for.
    pub(super) const fn partitions(&self) -> Option<usize> {
        self.partitions
    }

    /// Whether the url asks for an index of ids.
    pub(super) const fn ids(&self) -> bool {
        self.ids
    }

    /// How many replicas must have a write before it is acknowledged; 0: nobody waits for them.
    pub(super) const fn replicas(&self) -> u8 {
        self.replicas
    }

    /// A client of the server at an address that logs in while it connects.
    pub(super) fn client(&self, address: &Address, protocol: Protocol) -> Result<Client, StoreError> {
        let version = match protocol {
            Protocol::Answers => ProtocolVersion::RESP2,
            Protocol::Pushes => ProtocolVersion::RESP3,
        };
        self.client_with(address, self.login.clone().set_protocol(version).set_skip_set_lib_name())
    }

    /// A client of a sentinel.
    pub(super) fn sentinel_client(&self, address: &Address, login: &RedisConnectionInfo) -> Result<Client, StoreError> {
        self.client_with(address, login.clone().set_skip_set_lib_name())
    }

    /// A client that says nothing while it connects, so that no answer need be waited for, and what to say then.
    pub(super) fn silent_client(&self, address: &Address) -> Result<(Client, redis::Pipeline), StoreError> {
        let client = self.client_with(address, RedisConnectionInfo::default().set_skip_set_lib_name())?;
        let mut login = redis::Pipeline::new();
        if let Some(password) = self.login.password() {
            login.cmd("AUTH").arg(self.login.username()).arg(password);
        }
        if self.login.db() != 0 {
            login.cmd("SELECT").arg(self.login.db());
        }
        Ok((client, login))
    }

    fn client_with(&self, address: &Address, login: RedisConnectionInfo) -> Result<Client, StoreError> {
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        let info = address.to_dial(self.is_tls()).into_connection_info();
        let info = info.map(|info| info.set_tcp_settings(settings).set_redis_settings(login));
        let client: RedisResult<Client> = info.and_then(|info| match &self.certificates {
            Some(certificates) => {
                tls::provide_cryptography();
                Client::build_with_tls(info, certificates.clone())
            }
            None => Client::open(info),
        });
        client.map_err(|_| refuse("a Redis store's url cannot be used here"))
    }
}

/// How to log in to sentinels.
fn sentinel_login(user: Option<String>, password: Option<String>) -> Result<RedisConnectionInfo, StoreError> {
    let login = RedisConnectionInfo::default();
    match (user, password) {
        (Some(_), None) => Err(refuse("the url has a sentinel_user and no sentinel_pass")),
        (Some(user), Some(password)) => Ok(login.set_username(user).set_password(password)),
        (None, Some(password)) => Ok(login.set_password(password)),
        (None, None) => Ok(login),
    }
}

/// Reads the options, and refuses unknown and doubled ones, and those of other schemes.
fn read_options<'a>(
    options: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    own: &[&str],
) -> Result<Options, StoreError> {
    let mut seen = Vec::new();
    let mut read = Options::default();
    for (name, value) in options {
        let Some(name) = own.iter().find(|own| **own == name) else {
            return Err(refuse(&unknown(&name, own)));
        };
        if seen.contains(name) {
            return Err(refuse(&format!("the url has the option {name} twice")));
        }
        seen.push(name);
        let file = || match value.as_ref() {
            "" => Err(refuse(&format!("the url's {name} names no file"))),
            path => Ok(Some(path.into())),
        };
        match *name {
            "partitions" => {
                let number = value.parse().ok().filter(|number| (1..=PARTITIONS_MAX).contains(number));
                let number = number.ok_or_else(|| refuse("partitions is no number from 1 to 1024"))?;
                read.partitions = Some(number);
            }
            "ids" if value == "1" => read.ids = true,
            "ids" => return Err(refuse("ids is 1, or left out")),
            "replicas" => {
                let number = value.parse().ok().filter(|number| (1..=REPLICAS_MAX).contains(number));
                read.replicas = number.ok_or_else(|| refuse("replicas is no number from 1 to 9, or left out"))?;
            }
            "ca" => read.files.ca = file()?,
            "cert" => read.files.cert = file()?,
            "key" => read.files.key = file()?,
            "sentinel_user" => read.sentinel_user = Some(value.into_owned()),
            "sentinel_pass" => read.sentinel_pass = Some(value.into_owned()),
            // The client's own: db, user, pass.
            _ => {}
        }
    }
    Ok(read)
}

/// What is said of an option that is none here. It is not repeated: it may be the rest of a password.
fn unknown(name: &str, own: &[&str]) -> String {
    let of_tls = ["ca", "cert", "key"];
    if let Some(known) = of_tls.into_iter().find(|known| *known == name) {
        return format!("{known} is an option of rediss:// only");
    }
    if let Some(known) = ["sentinel_user", "sentinel_pass"].into_iter().find(|known| *known == name) {
        return format!("{known} is an option of redis+sentinel:// only");
    }
    match spelling::nearest(name, own.iter().copied()) {
        Some(known) => format!("the url has an option other than {}; did you mean {known}?", own.join(", ")),
        None => format!("the url has an option other than {}", own.join(", ")),
    }
}

/// A user without a password would be left out in silence.
fn check_login(login: &RedisConnectionInfo) -> Result<(), StoreError> {
    if login.username().is_some_and(|user| !user.is_empty()) && login.password().is_none() {
        return Err(refuse("the url has a user and no password"));
    }
    if login.db() < 0 {
        return Err(refuse("the database is a number from 0"));
    }
    Ok(())
}

fn shown(scheme: &str, place: &Place, db: i64, own: &Options) -> String {
    let all = |seeds: &[Address]| seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (place, in_path) = match place {
        Place::Server(address) => (address.to_string(), matches!(address, Address::Tcp(..))),
        Place::Sentinels { seeds, service, .. } => (format!("{}/{service}", all(seeds)), true),
        Place::Cluster { seeds } => (all(seeds), true),
    };
    let mut shown = format!("{scheme}://{place}");
    let mut options = Vec::new();
    match (db, in_path) {
        (0, _) => {}
        (_, true) => shown.push_str(&format!("/{db}")),
        (_, false) => options.push(format!("db={db}")),
    }
    options.extend(own.partitions.map(|number| format!("partitions={number}")));
    options.extend(own.ids.then(|| "ids=1".to_owned()));
    options.extend((own.replicas > 0).then(|| format!("replicas={}", own.replicas)));
    if !options.is_empty() {
        shown.push_str(&format!("?{}", options.join("&")));
    }
    shown
}

fn refuse(what: &str) -> StoreError {
    StoreError::Url { message: format!("{what}; {FORMS}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn every_form_is_read_and_shown_without_its_login() {
        let forms = [
            ("redis://h", "redis://h:6379", None),
            ("redis://h:7/3", "redis://h:7/3", None),
            ("redis://h/?partitions=8", "redis://h:6379?partitions=8", Some(8)),
            ("redis://h?ids=1&partitions=2", "redis://h:6379?partitions=2&ids=1", Some(2)),
            ("redis://h?replicas=2&ids=1", "redis://h:6379?ids=1&replicas=2", None),
            ("redis://u:s3cret@h/3?partitions=1024", "redis://h:6379/3?partitions=1024", Some(1_024)),
            ("redis://:s3cret@[::1]:7", "redis://[::1]:7", None),
            ("rediss://u:s3cret@h", "rediss://h:6379", None),
            ("unix:///run/r.sock", "unix:///run/r.sock", None),
            (
                "redis+unix:///r.sock?db=2&user=u&pass=s3cret&partitions=2",
                "redis+unix:///r.sock?db=2&partitions=2",
                Some(2),
            ),
            ("redis+sentinel://h/shop", "redis+sentinel://h:26379/shop", None),
            (
                "rediss+sentinel://u:s3cret@h,[::1]:7/a.b-c_1/3?ids=1&sentinel_user=u&sentinel_pass=s3cret",
                "rediss+sentinel://h:26379,[::1]:7/a.b-c_1/3?ids=1",
                None,
            ),
            ("redis+cluster://h", "redis+cluster://h:6379", None),
            ("redis+cluster://:s3cret@h:7,g/?partitions=8", "redis+cluster://h:7,g:6379?partitions=8", Some(8)),
            ("rediss+cluster://u:s3cret@h/0", "rediss+cluster://h:6379", None),
        ];
        for (url, shown, partitions) in forms {
            let target = read(url);
            assert_eq!(target.ids(), url.contains("ids=1"), "{url}");
            assert_eq!(target.replicas(), if url.contains("replicas") { 2 } else { 0 }, "{url}");
            assert_eq!((target.shown(), target.partitions()), (shown, partitions), "{url}");
            assert_eq!(format!("{target:?}"), format!("Target({shown:?})"));
        }
    }

    #[test]
    fn a_login_is_decoded() {
        let target = read("redis://us%40er:p%2Fa%3A%23%C3%A9@h/5");
        let login = &target.login;
        assert_eq!((login.username(), login.password(), login.db()), (Some("us@er"), Some("p/a:#é"), 5));
        let target = read("unix:///a%20b.sock?user=u&pass=p%26q&db=4");
        let login = &target.login;
        assert_eq!((login.username(), login.password(), login.db()), (Some("u"), Some("p&q"), 4));
        assert!(matches!(target.place(), Place::Server(Address::Socket(path)) if path.as_os_str() == "/a b.sock"));
    }

    #[test]
    fn servers_and_sentinels_have_logins_of_their_own() {
        let target = read("redis+sentinel://us%40er:p%2Fa@h/shop/5?sentinel_user=watch&sentinel_pass=a+b%26c");
        let login = &target.login;
        assert_eq!((login.username(), login.password(), login.db()), (Some("us@er"), Some("p/a"), 5));
        let Place::Sentinels { service, login, .. } = target.place() else { panic!("sentinels") };
        assert_eq!((service.as_str(), login.username(), login.password()), ("shop", Some("watch"), Some("a+b&c")));
        assert_eq!(login.db(), 0);
    }

    #[test]
    fn every_client_can_be_made() {
        let forms = ["redis://h", "rediss://u:p@h", "unix:///r.sock?pass=p&db=1", "rediss+cluster://h,g"];
        for url in forms.into_iter().chain(["redis+sentinel://u:p@h/shop?sentinel_pass=q"]) {
            let target = read(url);
            let address = match target.place() {
                Place::Server(address) => address.clone(),
                Place::Sentinels { seeds, login, .. } => {
                    target.sentinel_client(&seeds[0], login).expect(url);
                    seeds[0].clone()
                }
                Place::Cluster { seeds } => seeds[0].clone(),
            };
            target.client(&address, Protocol::Answers).expect(url);
            target.client(&address, Protocol::Pushes).expect(url);
            target.silent_client(&address).expect(url);
        }
        let address = Address::Tcp("h".to_owned(), 1);
        let (client, login) = read("redis://u:p@h/2").silent_client(&address).expect("a client");
        assert_eq!(client.get_connection_info().redis_settings().password(), None);
        assert_eq!(
            login.get_packed_pipeline(),
            b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n"
        );
    }

    #[test]
    fn a_slip_is_told_with_what_may_have_been_meant() {
        let said = |url: &str| Target::parse(url).expect_err(url).to_string();
        assert!(said("redis://h?partition=2").contains("did you mean partitions?"));
        assert!(said("unix:///r.sock?pas=x").contains("did you mean pass?"));
        assert!(said("rediss://h?crt=/c.pem").contains("did you mean cert?"));
        assert!(said("redis://h?ca=/c.pem").starts_with("ca is an option of rediss:// only"));
        assert!(!said("redis://h?password=s3cret").contains("did you mean"));
        assert!(said("redis+sentinel://h/shop?sentinel_pas=x").contains("did you mean sentinel_pass?"));
        assert!(
            said("redis+cluster://h?sentinel_pass=x").starts_with("sentinel_pass is an option of redis+sentinel://")
        );
        assert!(said("redis+cluster://h?ca=/c.pem").starts_with("ca is an option of rediss:// only"));
        assert!(said("redis+sentinel://h").contains("write /service"));
        assert!(said("redis+cluster://h/1").contains("no database but 0"));
    }

    #[test]
    fn a_plus_in_an_option_is_a_plus() {
        let target = read("unix:///a.sock?user=u&pass=a+b%2Bc%20d");
        assert_eq!(target.login.password(), Some("a+b+c d"));
    }

    #[test]
    fn anything_else_is_refused_without_repeating_what_may_be_a_secret() {
        for url in [
            "",
            "redis",
            "redis:",
            "redis://",
            "s3cret://h",
            "valkey://h",
            "redis://h/s3cret",
            "redis://h/-1",
            "redis://h:s3cret",
            "redis://h:70000",
            "redis://0.0.0.0",
            "redis://:s3c/ret@h",
            "redis://:s3c#ret@h",
            "redis://:s3c?ret@h",
            "redis://user:12/s3cret@h",
            "redis://s3cret@h",
            "redis://h#insecure",
            "redis://h?protocol=s3cret",
            "redis://h?s3cret=1",
            "redis://h?db=1",
            "redis://h?ca=/s3cret",
            "unix:///r.sock?key=/s3cret",
            "rediss://h?ca=",
            "rediss://h#insecure",
            "rediss://h?insecure=true",
            "rediss://h?cert=/a&cert=/b",
            "redis://h?replicas=0",
            "redis://h?replicas=10",
            "redis://h?partitions=0",
            "redis://h?partitions=1025",
            "redis://h?partitions=s3cret",
            "redis://h?partitions=1&partitions=2",
            "redis://h?ids=0",
            "redis://h?ids=s3cret",
            "unix://host/s3cret",
            "unix:///r.sock?user=s3cret",
            "unix:///r.sock?db=s3cret",
            "unix:///r%00.sock",
            "unix:///r.sock%01?db=1",
            "redis+sentinel://",
            "redis+sentinel:h/shop",
            "redis+sentinel://h/shop/s3cret",
            "redis+sentinel://h/shop/-1",
            "redis+sentinel://h/shop/1/s3cret",
            "redis+sentinel://h/sh%6Fp",
            "redis+sentinel://h:s3cret/shop",
            "redis+sentinel://:s3c/ret@h/shop",
            "redis+sentinel://:s3c?ret@h/shop",
            "redis+sentinel://:s3c#ret@h/shop",
            "redis+sentinel://user:12/s3cret@h",
            "redis+sentinel://s3cret@h/shop",
            "redis+sentinel://h/shop?sentinel_user=s3cret",
            "redis+sentinel://h/shop?db=1",
            "redis+sentinel://h/shop?ca=/s3cret",
            "redis+cluster://",
            "redis+cluster://h,",
            "redis+cluster://h,h",
            "redis+cluster://s3cret@h",
            "redis+cluster://h#s3cret",
            "redis+cluster://h/s3cret",
            "redis+cluster://user:12/s3cret@h",
            "redis+cluster://:s3c?ret@h",
            "redis+cluster://h?s3cret=1",
            "redis+cluster://h?partitions=s3cret",
            "rediss+cluster://h?ca=",
        ] {
            let error = Target::parse(url).expect_err(url);
            assert!(matches!(error, StoreError::Url { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains("write redis://"), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("s3c"), "{url}: {error}");
        }
    }
}
