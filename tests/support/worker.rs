//! Worker processes that can be killed and frozen.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The first argument of a process that runs instances.
pub const RUN: &str = "run";
/// The first argument of a process that creates instances.
pub const CREATE: &str = "create";

/// The first argument of a process that lists instances.
pub const READ: &str = "read";

/// How to start a worker process.
#[derive(Debug, Clone)]
pub struct WorkerSetup {
    /// The program: `env!("CARGO_BIN_EXE_test-worker")` of the test that starts it.
    pub program: &'static str,
    /// The store's url.
    pub store: String,
    /// The lease of its session.
    pub lease: Duration,
    /// How many instances it drives at a time.
    pub concurrency: usize,
    /// How long a step body takes after its line in the effects file.
    pub step_time: Duration,
    /// Where bodies write what they did.
    pub effects: PathBuf,
    /// Where it writes what it has to say.
    pub log: PathBuf,
}

/// A worker process. Dropping it kills it.
#[derive(Debug)]
pub struct TestWorker {
    child: Child,
}

impl TestWorker {
    /// Starts one that runs instances.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(setup: &WorkerSetup) -> Self {
        let numbers = [setup.lease.as_millis(), setup.concurrency as u128, setup.step_time.as_millis()];
        let mut command = Command::new(setup.program);
        command.arg(RUN).arg(&setup.store).args(numbers.map(|number| number.to_string())).arg(&setup.effects);
        Self::spawn(command, &setup.log)
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
        Self::spawn(command, &setup.log)
    }

    /// Starts one that lists instances, and writes down those that wait; `setup.store` is opened as it is.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_reading(setup: &WorkerSetup) -> Self {
        let mut command = Command::new(setup.program);
        command.arg(READ).arg(&setup.store).arg(&setup.effects);
        Self::spawn(command, &setup.log)
    }

    fn spawn(mut command: Command, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("the log can be written");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: child.expect("the worker program was built with the tests") }
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
