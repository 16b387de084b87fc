//! Worker processes that can be killed and frozen.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::clock::MovedClock;
use crate::failpoints::Failpoint;
use crate::process;
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
    /// Errands, and what else a household has.
    Chores,
    /// Bodies that block their threads.
    Stones,
    /// Ledgers.
    Ledgers,
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
    const ALL: [Self; 9] = [
        Self::Load,
        Self::Errands,
        Self::Chores,
        Self::Stones,
        Self::Ledgers,
        Self::First,
        Self::Second,
        Self::Broken,
        Self::Poison,
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|serves| format!("{serves:?}") == name)
    }
}

/// The first argument of a process that lists instances.
pub const READ: &str = "read";
/// The first argument of a process that calls ledgers.
pub const CALL: &str = "call";
/// The first argument, before those of a process that runs instances, where it is held at a failpoint.
pub const HOLD: &str = "hold";
/// The first argument of a process that has a failpoint.
pub const FAIL: &str = "fail";

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
        Self::spawn(Self::running(&mut Command::new(setup.program), setup), &setup.log)
    }

    /// Starts one that runs instances, by a clock of its own.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_by(setup: &WorkerSetup, clock: &MovedClock) -> Self {
        let mut command = Command::new(setup.program);
        Self::spawn(Self::running(command.envs(clock.environment()), setup), &setup.log)
    }

    /// Starts one that runs instances of these queues.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_serving(setup: &WorkerSetup, queues: &str) -> Self {
        let mut command = Command::new(setup.program);
        Self::spawn(Self::running(command.env("WORKFLOW_QUEUES", queues), setup), &setup.log)
    }

    /// Starts one that runs instances of one queue, and is held where it first comes to `point`, until `file` is there.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_held(setup: &WorkerSetup, queue: &str, point: Failpoint, file: &Path) -> Self {
        let mut command = Command::new(setup.program);
        command.env("WORKFLOW_QUEUES", queue).args([HOLD, &point.to_string()]).arg(file);
        Self::spawn(Self::running(&mut command, setup), &setup.log)
    }

    /// Starts one that runs instances, as the first process of a namespace of processes of its own where the system
    /// lets us make one: whatever it takes from the system to be told from others by, it has in common with others.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_as_a_clone(setup: &WorkerSetup) -> Self {
        const UNSHARE: [&str; 3] = ["--pid", "--fork", "--kill-child"];
        let may = Command::new("unshare").args(UNSHARE).arg("true").stderr(Stdio::null()).status();
        let mut command = if may.is_ok_and(|status| status.success()) {
            let mut command = Command::new("unshare");
            command.args(UNSHARE).arg(setup.program);
            command
        } else {
            eprintln!("no namespaces of processes here: ids of processes differ");
            Command::new(setup.program)
        };
        Self::spawn(Self::running(command.env_clear(), setup), &setup.log)
    }

    fn running<'a>(command: &'a mut Command, setup: &WorkerSetup) -> &'a mut Command {
        let [lease, step_time, grace] = [setup.lease, setup.step_time, setup.grace].map(|time| time.as_millis());
        let numbers = [lease, setup.concurrency as u128, step_time, grace].map(|number| number.to_string());
        command.args([RUN, &setup.store, &setup.namespace, &format!("{:?}", setup.serves)]);
        command.args(numbers).arg(&setup.effects)
    }

    /// Starts a client that makes this many deliveries, each with its payments, until it has every result. Started
    /// again after a crash it goes on with those of the one before. Writes down the results.
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

    /// Starts a household that meets `point` for the `times`-th time; `acks` is where its customers write down what was
    /// acknowledged.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_failing(setup: &WorkerSetup, point: Failpoint, times: u64, acks: &Path) -> Self {
        let [lease, step_time, grace] = [setup.lease, setup.step_time, setup.grace].map(|time| time.as_millis());
        let numbers = [u128::from(times), lease, setup.concurrency as u128, step_time, grace];
        let mut command = Command::new(setup.program);
        command.args([FAIL, &setup.store, &point.to_string()]).args(numbers.map(|number| number.to_string()));
        // Code that stumbles on purpose says so in one line.
        command.env("RUST_BACKTRACE", "0");
        Self::spawn(command.arg(&setup.effects).arg(acks), &setup.log)
    }

    /// Starts a client that does random things to ledgers, from one number up to another, and writes down what it asks
    /// for and what it is answered.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_calling(setup: &WorkerSetup, calls: &Path, seed: u64, [from, to]: [usize; 2]) -> Self {
        let mut command = Command::new(setup.program);
        command.args([CALL, &setup.store, &seed.to_string(), &from.to_string(), &to.to_string()]);
        Self::spawn(command.arg(calls), &setup.log)
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
        self.says(READY).await;
    }

    /// Waits until it has said this.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn says(&self, words: &str) {
        let begin = format!("{} ", self.id());
        let said = async || {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            log.lines().any(|line| line.starts_with(&begin) && line.contains(words)).then_some(())
        };
        wait::until(&format!("a worker says {words:?}"), said).await;
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

    /// How it has ended, if it has.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn outcome(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Kills it: SIGKILL, nothing is written any more when this returns.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Freezes it: SIGSTOP. It does nothing any more when this returns.
    pub fn freeze(&self) {
        process::freeze(self.id());
    }

    /// Lets it go on: SIGCONT.
    pub fn thaw(&self) {
        process::thaw(self.id());
    }

    /// Asks it to end: SIGTERM.
    pub fn ask_to_end(&self) {
        process::signal(self.id(), "TERM");
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
