//! The paths that are refused, each with its reason.
//!
//! The lists are by path, so they are a courtesy: what comes by a module-level rename, as a method or through a helper is
//! found by clippy with the `clippy.toml` for users (`workflow/lints`), by type where the runtime has a probe, and by the
//! comparison that every replay makes.

/// Why a path is refused, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Clock,
    Random,
    Uuid,
    Id,
    Environment,
    Machine,
    Input,
    Files,
    Network,
    Database,
    Process,
    Timer,
    Thread,
    Spawn,
    Blocking,
    Lock,
    Channel,
}

impl Reason {
    /// What it does, and what to use.
    pub(super) fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Clock => ("reads the clock, so a replay could take another path", "use `workflow::now().await`"),
            Self::Random => ("draws at random, so a replay could take another path", "use `workflow::random().await`"),
            Self::Uuid => ("makes another id in each replay", "use `workflow::uuid().await`"),
            Self::Id => (
                "makes another id in each replay",
                "use `workflow::uuid().await`, make the id from `workflow::random().await`",
            ),
            Self::Environment => (
                "reads the environment, which differs from worker to worker",
                "pass it in as an input or a `#[resource]`",
            ),
            Self::Machine => (
                "tells of the machine, and a replay may run on another one",
                "pass it in as an input or a `#[resource]`",
            ),
            Self::Input => ("reads what somebody types, again in each replay", "wait for an event: `wait_for(..)`"),
            Self::Files => ("uses the file system, again in each replay", "move it into a `step!`"),
            Self::Network => ("uses the network, again in each replay", "move it into a `step!`"),
            Self::Database => ("uses a database, again in each replay", "move it into a `step!`"),
            Self::Process => ("acts on a process, again in each replay", "move it into a `step!`"),
            Self::Timer => {
                ("waits in memory and is lost in a crash", "use `workflow::sleep(..).await` or `workflow::timeout(..)`")
            }
            Self::Thread => ("works behind the workflow's back, again in each replay", "move it into a `step!`"),
            Self::Spawn => (
                "starts work that is not recorded and that a replay starts again",
                "use `join!` or `join_all(..)` for work side by side",
            ),
            Self::Blocking => {
                ("runs futures outside of the journal, and again in each replay", "await them in a `step!`")
            }
            Self::Lock => (
                "waits for others in memory, in an order that a replay cannot repeat",
                "keep the state in the workflow's own variables",
            ),
            Self::Channel => (
                "waits for others in memory, in an order that a replay cannot repeat, and is lost in a crash",
                "use `wait_for(..)` and send an event",
            ),
        }
    }

    /// Whether it is work, which belongs into a step and nowhere else: there is no escape to offer.
    pub(super) fn is_work(self) -> bool {
        matches!(self, Self::Spawn | Self::Blocking)
    }
}

/// Full path and reason. A last `*` is any function, that is a word in lower case, and `**` is anything below.
pub(super) const REFUSED: &[(&str, Reason)] = &[
    ("std::time::SystemTime::now", Reason::Clock),
    ("std::time::Instant::now", Reason::Clock),
    ("std::time::SystemTime::elapsed", Reason::Clock),
    ("std::time::Instant::elapsed", Reason::Clock),
    ("tokio::time::Instant::now", Reason::Clock),
    ("web_time::*::now", Reason::Clock),
    ("coarsetime::**", Reason::Clock),
    ("quanta::Instant::*", Reason::Clock),
    ("quanta::Clock::*", Reason::Clock),
    ("minstant::Instant::*", Reason::Clock),
    ("chrono::Utc::now", Reason::Clock),
    ("chrono::Utc::today", Reason::Clock),
    ("chrono::Local::now", Reason::Clock),
    ("chrono::Local::today", Reason::Clock),
    ("chrono::Local", Reason::Machine),
    ("chrono::offset::Utc::now", Reason::Clock),
    ("chrono::offset::Local::now", Reason::Clock),
    ("time::OffsetDateTime::now_utc", Reason::Clock),
    ("time::OffsetDateTime::now_local", Reason::Clock),
    ("time::UtcDateTime::now", Reason::Clock),
    ("time::Instant::now", Reason::Clock),
    ("time::UtcOffset::current_local_offset", Reason::Machine),
    ("jiff::Zoned::now", Reason::Clock),
    ("jiff::Timestamp::now", Reason::Clock),
    ("jiff::tz::TimeZone::system", Reason::Machine),
    ("jiff::tz::TimeZone::try_system", Reason::Machine),
    ("iana_time_zone::*", Reason::Machine),
    ("hifitime::Epoch::now", Reason::Clock),
    ("rand::random", Reason::Random),
    ("rand::random_iter", Reason::Random),
    ("rand::random_range", Reason::Random),
    ("rand::random_bool", Reason::Random),
    ("rand::random_ratio", Reason::Random),
    ("rand::fill", Reason::Random),
    ("rand::rng", Reason::Random),
    ("rand::rngs::OsRng", Reason::Random),
    ("rand::rngs::SysRng", Reason::Random),
    ("rand::rngs::ThreadRng::*", Reason::Random),
    ("rand_core::OsRng", Reason::Random),
    ("rand::thread_rng", Reason::Random),
    ("getrandom::**", Reason::Random),
    ("fastrand::*", Reason::Random),
    ("fastrand::Rng::new", Reason::Random),
    ("fastrand::Rng::default", Reason::Random),
    ("oorandom::*", Reason::Random),
    ("nanorand::tls_rng", Reason::Random),
    ("nanorand::WyRand::new", Reason::Random),
    ("ring::rand::SystemRandom::new", Reason::Random),
    ("std::hash::RandomState::new", Reason::Random),
    ("std::collections::hash_map::RandomState::new", Reason::Random),
    ("uuid::Uuid::new_v1", Reason::Uuid),
    ("uuid::Uuid::now_v1", Reason::Uuid),
    ("uuid::Uuid::new_v4", Reason::Uuid),
    ("uuid::Uuid::new_v6", Reason::Uuid),
    ("uuid::Uuid::now_v6", Reason::Uuid),
    ("uuid::Uuid::now_v7", Reason::Uuid),
    ("uuid::Timestamp::now", Reason::Clock),
    ("ulid::Ulid::new", Reason::Id),
    ("ulid::Ulid::generate", Reason::Id),
    ("ulid::Generator::new", Reason::Id),
    ("rusty_ulid::generate_ulid_string", Reason::Id),
    ("rusty_ulid::generate_ulid_bytes", Reason::Id),
    ("rusty_ulid::Ulid::generate", Reason::Id),
    ("nanoid::*", Reason::Id),
    ("nanoid::rngs::*", Reason::Id),
    ("cuid::*", Reason::Id),
    ("cuid2::*", Reason::Id),
    ("xid::new", Reason::Id),
    ("scru128::*", Reason::Id),
    ("svix_ksuid::Ksuid::new", Reason::Id),
    ("bson::oid::ObjectId::new", Reason::Id),
    ("mongodb::bson::oid::ObjectId::new", Reason::Id),
    ("petname::petname", Reason::Id),
    ("std::env::*", Reason::Environment),
    ("dotenv::*", Reason::Environment),
    ("dotenvy::*", Reason::Environment),
    ("envy::*", Reason::Environment),
    ("dirs::*", Reason::Environment),
    ("home::*", Reason::Environment),
    ("num_cpus::*", Reason::Machine),
    ("hostname::get", Reason::Machine),
    ("gethostname::gethostname", Reason::Machine),
    ("whoami::*", Reason::Machine),
    ("sys_locale::*", Reason::Machine),
    ("sysinfo::System::*", Reason::Machine),
    ("std::thread::available_parallelism", Reason::Machine),
    ("std::io::stdin", Reason::Input),
    ("std::io::read_to_string", Reason::Input),
    ("tokio::io::stdin", Reason::Input),
    ("std::fs::*", Reason::Files),
    ("std::fs::File::*", Reason::Files),
    ("std::fs::OpenOptions::*", Reason::Files),
    ("std::fs::DirBuilder::*", Reason::Files),
    ("tokio::fs::**", Reason::Files),
    ("async_fs::**", Reason::Files),
    ("tempfile::**", Reason::Files),
    ("walkdir::WalkDir::new", Reason::Files),
    ("glob::glob", Reason::Files),
    ("std::net::TcpStream::*", Reason::Network),
    ("std::net::TcpListener::*", Reason::Network),
    ("std::net::UdpSocket::*", Reason::Network),
    ("std::os::unix::net::UnixStream::*", Reason::Network),
    ("std::os::unix::net::UnixListener::*", Reason::Network),
    ("std::os::unix::net::UnixDatagram::*", Reason::Network),
    ("tokio::net::**", Reason::Network),
    ("reqwest::get", Reason::Network),
    ("reqwest::blocking::**", Reason::Network),
    ("ureq::*", Reason::Network),
    ("minreq::*", Reason::Network),
    ("attohttpc::*", Reason::Network),
    ("rusqlite::Connection::*", Reason::Database),
    ("postgres::Client::*", Reason::Database),
    ("std::process::*", Reason::Process),
    ("std::process::Command::*", Reason::Process),
    ("tokio::process::**", Reason::Process),
    ("tokio::signal::**", Reason::Process),
    ("tokio::time::*", Reason::Timer),
    ("futures_timer::Delay::new", Reason::Timer),
    ("async_io::Timer::*", Reason::Timer),
    ("smol::Timer::*", Reason::Timer),
    ("std::thread::sleep", Reason::Timer),
    ("std::thread::park_timeout", Reason::Timer),
    ("std::thread::spawn", Reason::Spawn),
    ("std::thread::scope", Reason::Spawn),
    ("std::thread::Builder::*", Reason::Spawn),
    ("std::thread::*", Reason::Thread),
    ("crossbeam::scope", Reason::Spawn),
    ("crossbeam::thread::scope", Reason::Spawn),
    ("rayon::spawn", Reason::Spawn),
    ("rayon::scope", Reason::Spawn),
    ("tokio::spawn", Reason::Spawn),
    ("tokio::task::spawn", Reason::Spawn),
    ("tokio::task::spawn_blocking", Reason::Spawn),
    ("tokio::task::spawn_local", Reason::Spawn),
    ("tokio::task::JoinSet::new", Reason::Spawn),
    ("tokio::task::LocalSet::new", Reason::Spawn),
    ("tokio::task::block_in_place", Reason::Blocking),
    ("tokio::runtime::**", Reason::Blocking),
    ("futures::executor::*", Reason::Blocking),
    ("futures_executor::*", Reason::Blocking),
    ("pollster::block_on", Reason::Blocking),
    ("smol::block_on", Reason::Blocking),
    ("smol::spawn", Reason::Spawn),
    ("smol::unblock", Reason::Spawn),
    ("async_std::task::spawn", Reason::Spawn),
    ("async_std::task::block_on", Reason::Blocking),
    ("std::sync::mpsc::channel", Reason::Channel),
    ("std::sync::mpsc::sync_channel", Reason::Channel),
    ("tokio::sync::mpsc::*", Reason::Channel),
    ("tokio::sync::oneshot::*", Reason::Channel),
    ("tokio::sync::broadcast::*", Reason::Channel),
    ("tokio::sync::watch::*", Reason::Channel),
    ("futures::channel::mpsc::*", Reason::Channel),
    ("futures::channel::oneshot::*", Reason::Channel),
    ("crossbeam::channel::*", Reason::Channel),
    ("crossbeam_channel::*", Reason::Channel),
    ("flume::*", Reason::Channel),
    ("async_channel::*", Reason::Channel),
    ("kanal::*", Reason::Channel),
    ("std::sync::Barrier::new", Reason::Lock),
    ("std::sync::Condvar::new", Reason::Lock),
    ("tokio::sync::Notify::new", Reason::Channel),
    ("tokio::sync::Semaphore::new", Reason::Lock),
    ("tokio::sync::Barrier::new", Reason::Lock),
];

/// What of a refused crate or module is harmless after all.
pub(super) const HARMLESS: &[&str] = &[
    "std::env::join_paths",
    "std::env::split_paths",
    "std::thread::panicking",
    "nanoid::alphabet",
    "std::process::ExitCode",
];

/// Two words that mean the refused path although nothing says where the first comes from.
///
/// What the type of the result can tell, such as `Instant::now` or `env::var`, is not among them: it may be the user's own,
/// and the user may have given it another name. See `shared`, and `settled` in the runtime.
pub(super) const REFUSED_SHORT: &[(&str, Reason)] = &[
    ("Utc::today", Reason::Clock),
    ("Local::today", Reason::Clock),
    ("Ulid::new", Reason::Id),
    ("Ulid::generate", Reason::Id),
    ("env::var_os", Reason::Environment),
    ("env::temp_dir", Reason::Environment),
    ("env::current_dir", Reason::Environment),
    ("fs::read", Reason::Files),
    ("fs::read_to_string", Reason::Files),
    ("fs::read_dir", Reason::Files),
    ("fs::write", Reason::Files),
    ("fs::create_dir_all", Reason::Files),
    ("fs::remove_file", Reason::Files),
    ("process::exit", Reason::Process),
    ("process::abort", Reason::Process),
    ("thread::sleep", Reason::Timer),
    ("thread::scope", Reason::Spawn),
    ("RandomState::new", Reason::Random),
    ("ThreadRng::default", Reason::Random),
    ("JoinSet::new", Reason::Spawn),
    ("LocalSet::new", Reason::Spawn),
    ("FuturesUnordered::new", Reason::Spawn),
    ("FuturesOrdered::new", Reason::Spawn),
];

/// The same where a fn is named and not called: what it gives cannot be asked.
pub(super) const REFUSED_UNCALLED: &[(&str, Reason)] = &[
    ("SystemTime::now", Reason::Clock),
    ("Instant::now", Reason::Clock),
    ("Utc::now", Reason::Clock),
    ("Local::now", Reason::Clock),
    ("OffsetDateTime::now_utc", Reason::Clock),
    ("OffsetDateTime::now_local", Reason::Clock),
    ("UtcDateTime::now", Reason::Clock),
    ("Zoned::now", Reason::Clock),
    ("Timestamp::now", Reason::Clock),
    ("Uuid::new_v4", Reason::Uuid),
    ("Uuid::now_v7", Reason::Uuid),
    ("env::var", Reason::Environment),
];

/// A last word that means the same wherever it stands, as nobody else would call a function so.
pub(super) const REFUSED_WORDS: &[(&str, Reason)] = &[
    ("thread_rng", Reason::Random),
    ("from_entropy", Reason::Random),
    ("from_os_rng", Reason::Random),
    ("spawn_blocking", Reason::Spawn),
    ("spawn_local", Reason::Spawn),
    ("block_in_place", Reason::Blocking),
    ("block_on", Reason::Blocking),
];

/// Values that mean the same alone as at the end of a path.
pub(super) const REFUSED_VALUES: &[(&str, Reason)] = &[("OsRng", Reason::Random), ("SysRng", Reason::Random)];

/// Methods that nobody else would call so.
pub(super) const REFUSED_METHODS: &[(&str, Reason)] = &[
    ("blocking_recv", Reason::Channel),
    ("blocking_send", Reason::Channel),
    ("blocking_lock", Reason::Lock),
    ("blocking_read", Reason::Lock),
    ("blocking_write", Reason::Lock),
];

/// Functions of futures, and what takes their place.
pub(super) const FOREIGN_POLLS: &[(&str, &str)] = &[
    ("join", "join!"),
    ("join_all", "join_all(..)"),
    ("select", "race!"),
    ("select_all", "race!"),
    ("select_ok", "race!"),
    ("try_join", "try_join!"),
    ("try_join_all", "try_join_all(..)"),
];

#[cfg(test)]
mod tests {
    use super::REFUSED;

    /// What has no path of its own for clippy: values, and other names of the same item.
    const NOT_FOR_CLIPPY: &[&str] = &[
        "chrono::Local",
        "rand::rngs::OsRng",
        "rand::rngs::SysRng",
        "rand_core::OsRng",
        "std::collections::hash_map::RandomState::new",
        "chrono::offset::Utc::now",
        "chrono::offset::Local::now",
        "mongodb::bson::oid::ObjectId::new",
    ];

    #[test]
    fn clippy_knows_every_function_of_the_table() {
        let known = include_str!("../../../../workflow/lints/clippy.toml");
        let missing = REFUSED.iter().map(|(path, _)| *path).filter(|path| {
            !path.contains('*') && !NOT_FOR_CLIPPY.contains(path) && !known.contains(&format!("path = \"{path}\""))
        });
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
