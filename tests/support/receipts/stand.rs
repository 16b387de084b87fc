//! A store that faults are done to, with its [`Crew`]: on which machine what runs, and how each fault is done.
//!
//! On Redis the server is a machine of its own: its faults leave workers and clients alone. SQLite is in the processes, so
//! that a power cut ends them all.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use workflow::prelude::*;

use super::audit::{Audit, Fault, audit};
use super::crew::Crew;
use super::now_us;
use super::pair::Pair;
use crate::chance::Chance;
use crate::power::{Disk, Unsynced};
use crate::redis::RedisServer;
use crate::wait;

/// How the store is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// SQLite that syncs each commit.
    SqliteFull,
    /// SQLite that syncs now and then.
    SqliteNormal,
    /// Redis that syncs each write.
    RedisAlways,
    /// Redis that syncs every second, on a disk whose syncs take so many milliseconds longer.
    RedisEverysec(u32),
    /// Redis with an append-only file that it leaves to the system.
    RedisNoSync,
    /// Redis that keeps nothing on disk.
    RedisMemory,
    /// Redis with a replica; both sync every second.
    Replica,
    /// The same, where the primary takes no writes that no replica follows: `min-replicas-to-write`, `min-replicas-max-lag`.
    ReplicaNeeded,
    /// Redis with a replica, where a write is acknowledged once that has it: `?replicas=1`.
    ReplicaWaited,
}

/// A store under faults.
#[derive(Debug)]
pub struct Stand {
    setting: Setting,
    place: Place,
    /// The workers and clients.
    pub crew: Crew,
    chance: Chance,
    faults: Vec<Fault>,
    /// What outlives every fault: the receipts.
    _folder: TempDir,
}

#[derive(Debug)]
enum Place {
    File { folder: TempDir, disk: Disk },
    Server(Box<RedisServer>),
    Pair(Box<Pair>),
}

impl Setting {
    /// What a power cut leaves of what was told before it.
    const fn survives_power_cuts(self) -> bool {
        matches!(self, Self::SqliteFull | Self::RedisAlways)
    }

    /// Whether it is on a server.
    #[must_use]
    pub const fn is_redis(self) -> bool {
        !matches!(self, Self::SqliteFull | Self::SqliteNormal)
    }

    /// Whether a replica takes the place of the server.
    const fn has_a_replica(self) -> bool {
        matches!(self, Self::Replica | Self::ReplicaNeeded | Self::ReplicaWaited)
    }

    fn of_the_server(self) -> Vec<(&'static str, &'static str)> {
        let sync = match self {
            Self::RedisAlways => "always",
            Self::RedisEverysec(_) | Self::Replica | Self::ReplicaNeeded | Self::ReplicaWaited => "everysec",
            Self::RedisNoSync => "no",
            _ => return vec![],
        };
        let mut settings = vec![("appendonly", "yes"), ("appendfsync", sync), ("aof-load-truncated", "yes")];
        if self == Self::ReplicaNeeded {
            settings.extend([("min-replicas-to-write", "1"), ("min-replicas-max-lag", "1")]);
        }
        settings
    }
}

impl Stand {
    /// Starts the store, two workers and a client. `program` is one that knows [`RECEIPTS`](super::crew::RECEIPTS).
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(program: &Path, setting: Setting, test: &str) -> Self {
        let folder = tempfile::tempdir().expect("a test can have a temporary folder");
        let place = if setting.has_a_replica() {
            Place::Pair(Box::new(Pair::start(&setting.of_the_server()).await))
        } else if setting.is_redis() {
            let slow = if let Setting::RedisEverysec(slow) = setting { slow } else { 0 };
            Place::Server(Box::new(RedisServer::start_with_power(&setting.of_the_server(), slow)))
        } else {
            let folder = tempfile::tempdir().expect("a test can have a temporary folder");
            let disk = Disk::over(folder.path());
            Place::File { folder, disk }
        };
        let mut crew = Crew::new(program, &url(&place, setting), folder.path());
        if let Place::File { disk, .. } = &place {
            crew = crew.environment(disk.environment());
        }
        crew.start();
        Self { setting, place, crew, chance: Chance::new(test), faults: vec![], _folder: folder }
    }

    /// Lets all work until some more was told, and then to a moment that chance picks.
    ///
    /// # Panics
    /// When it is not: when somebody did not recover from the last fault.
    pub async fn press(&mut self) {
        let more = usize::try_from(self.chance.within(60..200)).expect("it is small");
        self.crew.press(more).await;
        wait::moment(Instant::now() + self.chance.millis(0..30)).await;
    }

    /// Lets all work for a time of this range, in milliseconds, and until something was told.
    ///
    /// # Panics
    /// As [`Self::press`].
    pub async fn press_for(&mut self, millis: Range<u64>) {
        let until = Instant::now() + self.chance.millis(millis);
        self.crew.press(1).await;
        wait::moment(until).await;
    }

    /// Kills a worker; another one takes its place.
    pub fn kill_worker(&mut self) {
        let index = self.chance.index(2);
        self.crew.replace_worker(index);
        self.note("a worker was killed", u64::MAX);
    }

    /// Kills the server, or on SQLite every process, and starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn kill(&mut self) {
        let safe_us = match (self.setting, &mut self.place) {
            (_, Place::File { .. }) => {
                self.crew.kill();
                u64::MAX
            }
            (_, Place::Pair(_)) => return self.fail_over(Duration::ZERO).await,
            (setting, Place::Server(server)) => {
                server.kill();
                match setting {
                    // It holds writes back while a sync is under way.
                    Setting::RedisEverysec(_) => safe_on(server),
                    Setting::RedisMemory => 0,
                    _ => u64::MAX,
                }
            }
        };
        self.go_on("the server was killed", safe_us).await;
    }

    /// Cuts the power.
    ///
    /// # Panics
    /// When nothing starts any more on what is left, or something of it is torn.
    pub async fn cut(&mut self, unsynced: Unsynced) {
        let synced_us = match &mut self.place {
            Place::File { disk, .. } => {
                self.crew.kill();
                let last_sync = disk.syncs_us("-wal").pop().unwrap_or_default();
                disk.cut(unsynced, &mut self.chance);
                last_sync
            }
            Place::Server(server) => {
                server.kill();
                let safe_us = safe_on(server);
                server.cut_power(unsynced, &mut self.chance);
                safe_us
            }
            Place::Pair(_) => return self.fail_over(Duration::ZERO).await,
        };
        if let Place::File { folder, .. } = &self.place {
            is_sound(folder.path()).await;
        }
        let safe_us = if self.setting.survives_power_cuts() { u64::MAX } else { synced_us };
        self.go_on("the power was cut", safe_us).await;
    }

    /// Asks a server to write its file anew, so that the next fault comes in the midst of that.
    pub async fn begin_rewrite(&mut self) {
        if let Place::Server(server) = &self.place {
            server.command(&["BGREWRITEAOF"]);
            wait::moment(Instant::now() + self.chance.millis(0..40)).await;
        }
    }

    async fn go_on(&mut self, what: &str, safe_us: u64) {
        wait::moment(Instant::now() + self.chance.millis(0..100)).await;
        self.note(what, safe_us);
        match &mut self.place {
            Place::File { .. } => self.crew.start(),
            Place::Server(server) => {
                server.restart();
                begin_new_file(server, self.setting).await;
            }
            Place::Pair(_) => {}
        }
    }

    /// Lets the replica take the place of the primary, after it was cut off from it for so long.
    ///
    /// # Panics
    /// When there is no replica, or it does not take its place.
    pub async fn fail_over(&mut self, cut_off: Duration) {
        let Place::Pair(pair) = &mut self.place else { panic!("{:?} has no replica", self.setting) };
        let faults = &mut self.faults;
        let what = "the primary failed";
        pair.fail_over(cut_off, || faults.push(Fault { what: what.to_owned(), at_us: now_us(), safe_us: 0 })).await;
    }

    fn note(&mut self, what: &str, safe_us: u64) {
        self.faults.push(Fault { what: what.to_owned(), at_us: now_us(), safe_us });
    }

    /// Brings everything to its end, and says what each fault took.
    ///
    /// # Errors
    /// When something does not end, or is not as it must be: in words.
    pub async fn finish(mut self) -> Result<Audit, String> {
        let engine = Engine::builder().store(url(&self.place, self.setting).as_str()).mode(Mode::Client);
        let engine = engine.start().await.map_err(|error| error.to_string())?;
        let ends = self.crew.settle(&engine).await?;
        let report = engine.fsck().await.map_err(|error| error.to_string())?;
        assert!(report.is_sound(), "{report}");
        drop(engine);
        let audit = audit(&self.crew.receipts(), &ends, &self.faults);
        if audit.broken.is_empty() {
            return Ok(audit);
        }
        Err(format!("{:#?}\n{:#?}\n{}", audit.broken, self.faults, self.crew.log()))
    }
}

/// As `docs/DURABILITY.md` says: a server that cut a transaction off leaves its beginning in the file, and carries that out
/// at its next start, together with the transaction after it.
async fn begin_new_file(server: &RedisServer, setting: Setting) {
    if setting == Setting::RedisMemory {
        return;
    }
    server.command(&["BGREWRITEAOF"]);
    let written = async || {
        let said: String = redis::from_redis_value(server.command(&["INFO", "persistence"])).ok()?;
        (said.contains("aof_rewrite_in_progress:0") && said.contains("aof_rewrite_scheduled:0")).then_some(())
    };
    wait::until("the file is written anew", written).await;
}

/// What was told before this is on the disk of a server that syncs in the background. While a sync waits or runs it holds
/// back what it acknowledges, and it writes all of that before it asks for the next: so what was told before the last sync
/// but one began was written when the last one did.
fn safe_on(server: &RedisServer) -> u64 {
    server.disk().syncs_us("incr.aof").into_iter().rev().nth(1).unwrap_or_default()
}

fn url(place: &Place, setting: Setting) -> String {
    match place {
        Place::Server(server) => server.url(),
        Place::Pair(pair) if setting == Setting::ReplicaWaited => format!("{}?replicas=1", pair.url()),
        Place::Pair(pair) => pair.url(),
        Place::File { folder, .. } => {
            let options = if setting == Setting::SqliteNormal { "?synchronous=normal" } else { "" };
            format!("sqlite:{}{options}", folder.path().join("store.db").display())
        }
    }
}

/// Checks a copy of the files: looking at them would change them.
async fn is_sound(folder: &Path) {
    let copy = tempfile::tempdir().expect("a test can have a temporary folder");
    for name in ["store.db", "store.db-wal"] {
        if folder.join(name).exists() {
            std::fs::copy(folder.join(name), copy.path().join(name)).expect("a file can be copied");
        }
    }
    let url = format!("sqlite:{}", copy.path().join("store.db").display());
    match workflow::fsck(&url, "default").await {
        Ok(report) => assert!(report.is_sound(), "{report}"),
        // Everything may be lost that was never synced.
        Err(error) => assert!(error.to_string().contains("has no namespace"), "{error}"),
    }
}
