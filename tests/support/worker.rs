//! Worker processes that can be killed and frozen.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wait;

/// The first argument of a process that runs instances.
pub const RUN: &str = "run";
/// The first argument of a process that creates instances.
pub const CREATE: &str = "create";
/// The first argument of a process that makes deliveries.
pub const DELIVER: &str = "deliver";
/// What a worker says once it runs, after the id of its process.
pub const READY: &str = "READY";

/// Which workflows a worker serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Parcels, deliveries and trips.
    Load,
    /// Errands.
    Errands,
    /// Bills of the first release.
    First,
    /// Bills of the second release.
    Second,
    /// Bills of a release that does not fit the first one's journals.
    Broken,
    /// What ends its process, and what stands beside it.
    Poison,
}

impl Serves {
    /// All there are.
    const ALL: [Self; 6] = [Self::Load, Self::Errands, Self::First, Self::Second, Self::Broken, Self::Poison];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|serves| format!("{serves:?}") == name)
    }
}

/// The first argument of a process that lists instances.
pub const READ: &str = "read";

/// How to start a worker process.
#[derive(Debug, Clone)]
pub struct WorkerSetup {
    /// The program: `env!("CARGO_BIN_EXE_test-worker")` of the test that starts it.
    pub program: &'static str,
    /// The store's url.
    pub store: String,
    /// The namespace in it.
    pub namespace: String,
    /// What it serves.
    pub serves: Serves,
    /// The lease of its session.
    pub lease: Duration,
    /// How many instances it drives at a time.
    pub concurrency: usize,
    /// How long a step body takes after its line in the effects file.
    pub step_time: Duration,
    /// How long bodies that run may go on once it is asked to end.
    pub grace: Duration,
    /// Where bodies write what they did.
    pub effects: PathBuf,
    /// Where it writes what it has to say.
    pub log: PathBuf,
}

/// A worker process. Dropping it kills it.
#[derive(Debug)]
pub struct TestWorker {
    child: Child,
    log: PathBuf,
}

impl TestWorker {
    /// Starts one that runs instances.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(setup: &WorkerSetup) -> Self {
        let [lease, step_time, grace] = [setup.lease, setup.step_time, setup.grace].map(|time| time.as_millis());
        let numbers = [lease, setup.concurrency as u128, step_time, grace].map(|number| number.to_string());
        let mut command = Command::new(setup.program);
        command.args([RUN, &setup.store, &setup.namespace, &format!("{:?}", setup.serves)]);
        Self::spawn(command.args(numbers).arg(&setup.effects), &setup.log)
    }

    /// Starts a client that makes this many deliveries, each with its payments, until it has every result. Started again
    /// after a crash it goes on with those of the one before. Writes down the results.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_delivering(setup: &WorkerSetup, deliveries: u64, results: &Path) -> Self {
        let mut command = Command::new(setup.program);
        command.args([DELIVER, &setup.store, &deliveries.to_string()]).arg(results);
        Self::spawn(&mut command, &setup.log)
    }

    /// Starts one that creates instances, with ids that begin with `prefix`, and writes down those that were
    /// acknowledged.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_creating(setup: &WorkerSetup, prefix: &str) -> Self {
        let mut command = Command::new(setup.program);
        command.arg(CREATE).arg(&setup.store).arg(prefix).arg(&setup.effects);
        Self::spawn(&mut command, &setup.log)
    }

    /// Starts one that lists instances, and writes down those that wait; `setup.store` is opened as it is.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_reading(setup: &WorkerSetup) -> Self {
        let mut command = Command::new(setup.program);
        command.arg(READ).arg(&setup.store).arg(&setup.effects);
        Self::spawn(&mut command, &setup.log)
    }

    fn spawn(command: &mut Command, path: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(path).expect("the log can be written");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: child.expect("the worker program was built with the tests"), log: path.to_owned() }
    }

    /// Waits until it runs, and hears what it is asked.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn ready(&self) {
        let line = format!("{} {READY}", self.id());
        let said = async || {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            log.lines().any(|said| said == line).then_some(())
        };
        wait::until("a worker runs", said).await;
    }

    /// Waits until it has ended, and says whether it did so in order.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn end(mut self) -> bool {
        let mut ended = || self.child.try_wait().expect("a child can be asked");
        wait::until("a worker ends", || std::future::ready(ended())).await.success()
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Kills it: SIGKILL, nothing is written any more when this returns.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Freezes it: SIGSTOP.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on: SIGCONT.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Asks it to end: SIGTERM.
    pub fn ask_to_end(&self) {
        self.signal("TERM");
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`, so that no program has to be installed.
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id())).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
