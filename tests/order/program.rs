//! One process of the example: its streams as lines that can be waited for, its end, and signals to it.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::process;

use crate::binary;

/// The longest anything here may take: only a failure reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running process. Killed when dropped.
pub(crate) struct Program {
    pid: u32,
    stdout: Arc<Log>,
    stderr: Arc<Log>,
    ended: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    threads: Vec<JoinHandle<()>>,
}

/// A process that ended, with everything it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Program {
    /// Starts the example in `folder`.
    pub(crate) fn start(folder: &Path, arguments: &[String]) -> Self {
        Self::start_with_input(folder, arguments, None)
    }

    /// Starts the example in `folder` with something to read.
    pub(crate) fn start_with_input(folder: &Path, arguments: &[String], input: Option<&str>) -> Self {
        let mut child = Command::new(binary::path())
            .args(arguments)
            .current_dir(folder)
            .env_remove("WORKFLOW_STORE")
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example can be started");
        if let Some(input) = input {
            let mut stdin = child.stdin.take().expect("it was asked for");
            stdin.write_all(input.as_bytes()).expect("the example reads its input");
        }
        let (stdout, stderr) = (Arc::new(Log::default()), Arc::new(Log::default()));
        let mut threads = vec![
            Log::fill(&stdout, child.stdout.take().expect("it was asked for")),
            Log::fill(&stderr, child.stderr.take().expect("it was asked for")),
        ];
        let pid = child.id();
        let (end, ended) = mpsc::channel();
        threads.push(std::thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            // Nobody listens any more when the test was over first.
            let _ = end.send(status);
        }));
        Self { pid, stdout, stderr, ended, status: None, threads }
    }

    /// Waits for its end; one that does not come is a failure.
    pub(crate) fn finish(mut self) -> Ended {
        self.finish_within(LIMIT)
            .unwrap_or_else(|| panic!("no end within {LIMIT:?}; standard error:\n{}", self.stderr.lines().join("\n")))
    }

    /// Waits for its end, but no longer than this.
    pub(crate) fn finish_within(&mut self, limit: Duration) -> Option<Ended> {
        let status = self.ends_within(limit)?;
        for thread in self.threads.drain(..) {
            thread.join().expect("the threads only read");
        }
        Some(Ended { status, stdout: self.stdout.lines(), stderr: self.stderr.lines() })
    }

    /// Whether it ends within this time.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = match self.ended.recv_timeout(limit) {
                Ok(status) => Some(status),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => panic!("the thread that waits for the process is gone"),
            };
        }
        self.status
    }

    /// Waits for a line of standard error that satisfies `wanted`.
    pub(crate) fn says(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.stderr
            .wait(wanted)
            .unwrap_or_else(|| panic!("never said; standard error:\n{}", self.stderr.lines().join("\n")))
    }

    /// Sends a signal by name, such as `TERM`, unless the process has ended.
    pub(crate) fn signal(&mut self, name: &str) {
        if self.ends_within(Duration::ZERO).is_none() {
            process::signal(self.pid, name);
        }
    }

    /// Freezes it until it is thawed.
    pub(crate) fn freeze(&self) {
        process::freeze(self.pid);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        process::thaw(self.pid);
    }

    /// Kills it outright and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        assert!(self.ends_within(LIMIT).is_some(), "a killed process ends");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.status.is_none() && self.ended.try_recv().is_err() {
            // A stopped process is killed too; one that ended in this moment is not there to be.
            let _ = process::try_signal(self.pid, "KILL");
        }
    }
}

impl Ended {
    /// The exit code; a process that died of a signal is a failure.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("died: {}\n{}", self.status, self.stderr.join("\n")))
    }

    /// The signal it died of.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Fails unless it exited with 0.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code(), 0, "standard error:\n{}", self.stderr.join("\n"));
        self
    }
}

/// Why a lock can be had.
const UNBROKEN: &str = "nobody panics while holding the lines";

/// The lines of a stream, as they come, and whether it has ended.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Log {
    fn fill(log: &Arc<Self>, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = Arc::clone(log);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                log.locked().0.push(line.expect("the example writes UTF-8"));
                log.changed.notify_all();
            }
            log.locked().1 = true;
            log.changed.notify_all();
        })
    }

    fn locked(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.lines.lock().expect(UNBROKEN)
    }

    fn lines(&self) -> Vec<String> {
        self.locked().0.clone()
    }

    /// The first line that satisfies `wanted`; nothing when the stream ends or the limit passes without one.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + LIMIT;
        let mut lines = self.locked();
        loop {
            if let Some(line) = lines.0.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if lines.1 {
                return None;
            }
            lines = self.changed.wait_timeout(lines, left).expect(UNBROKEN).0;
        }
    }
}
