//! An example as a process: run to its end, or until it is told to end.

use std::future::Future;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use support::process;

use crate::binary;

/// The longest anything here may take: only a failure reaches it.
const LIMIT: Duration = Duration::from_secs(120);

/// What an example that ended has said.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Its output, if it ended well.
    pub(crate) fn succeeded(self) -> String {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Its exit code.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal it died of.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// Runs an example in an empty folder; gives what it printed.
pub(crate) fn output(example: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    run_in(folder.path(), example, &[]).succeeded()
}

/// Runs an example in this folder to its end.
pub(crate) fn run_in(folder: &Path, example: &str, arguments: &[&str]) -> Ended {
    block_on(async {
        let child = command(folder, example, arguments).spawn().expect("an example can be started");
        let ended = timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("{example} does not end")).expect("an example can be waited for");
        let text = |bytes| String::from_utf8(bytes).expect("an example prints text");
        Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    })
}

/// Runs a test that waits for programs.
pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a test can have a runtime").block_on(test)
}

fn command(folder: &Path, example: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary::path(example));
    command.args(arguments).current_dir(folder).env("TMPDIR", folder).env_remove("WORKFLOW_STORE").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running example.
pub(crate) struct Program {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts it in this folder.
    pub(crate) fn start(folder: &Path, example: &str, arguments: &[&str]) -> Self {
        let mut child = command(folder, example, arguments).spawn().expect("an example can be started");
        let stdout = child.stdout.take().expect("it was asked for");
        Self { child, stdout: BufReader::new(stdout).lines() }
    }

    /// Waits for a line that begins so, and gives the rest of it.
    pub(crate) async fn says(&mut self, beginning: &str) -> String {
        let said = async {
            while let Some(line) = self.stdout.next_line().await.expect("an example prints text") {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return rest.to_owned();
                }
            }
            panic!("it ended and never said {beginning:?}")
        };
        timeout(LIMIT, said).await.unwrap_or_else(|_| panic!("it never said {beginning:?}"))
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        process::signal(self.child.id().expect("it was not waited for yet"), name);
    }

    /// Waits for its end; gives the exit code.
    pub(crate) async fn ends(mut self) -> Option<i32> {
        let ended = timeout(LIMIT, self.child.wait()).await.expect("it ends when it is told to");
        ended.expect("an example can be waited for").code()
    }
}
