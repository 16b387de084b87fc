//! The programs of the demo: each a process of its own, started, waited for, and told to end.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::AnyError;

/// How long a program may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program of the demo. Killed when dropped, unless it was told to end before.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts an example that stands beside this one.
    pub(crate) fn start(example: &str, arguments: &[&str]) -> Result<Self, AnyError> {
        let program = std::env::current_exe()?.with_file_name(example);
        if !program.is_file() {
            let build = "cargo build -p examples --example api_server --example api_worker";
            return Err(
                format!("there is no {}: build it with `{build}`, or use scripts/api-demo", program.display()).into()
            );
        }
        Self::spawn(example, Command::new(program).args(arguments))
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Self, AnyError> {
        // A group of its own: Ctrl-C reaches the demo only, which ends the others in their order.
        let command = command.process_group(0).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let stdout = child.stdout.take().ok_or("it was asked for")?;
        Ok(Self { name: name.to_owned(), child, lines: BufReader::new(stdout).lines() })
    }

    /// Waits for a line that begins so; gives the rest of it.
    pub(crate) async fn says(&mut self, beginning: &str) -> Result<String, AnyError> {
        let name = &self.name;
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return Ok(rest.trim().to_owned());
                }
            }
            Err(AnyError::from(format!("{name} ended before it said {beginning:?}")))
        };
        timeout(PATIENCE, found).await.map_err(|_| format!("{name} did not say {beginning:?}"))?
    }

    /// Tells it to end (SIGTERM), and waits until it has.
    pub(crate) async fn end(mut self) -> Result<ExitStatus, AnyError> {
        if let Some(pid) = self.child.id() {
            // The shell's own `kill`: no program and no crate is needed for a signal.
            Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().await?;
        }
        let ended = timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.map_err(|_| format!("{} did not end when it was told to", self.name))??)
    }
}

/// A Redis server of the demo's own, on a socket in a folder: no port can be taken.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    socket: PathBuf,
}

impl Redis {
    /// Starts one with its data in this folder, and waits until it answers.
    pub(crate) async fn start(folder: &Path) -> Result<Self, AnyError> {
        let socket = folder.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--dir"]).arg(folder);
        command.arg("--unixsocket").arg(&socket);
        let redis = Self { process: Process::spawn("redis-server", &mut command)?, socket };
        let answers = async {
            while !redis.answers().await {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, answers).await.map_err(|_| "redis-server does not answer")?;
        Ok(redis)
    }

    async fn answers(&self) -> bool {
        let asked = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            stream.write_all(b"PING\r\n").await?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(&answer == b"+PONG")
        };
        asked.await.unwrap_or(false)
    }

    /// Its url.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Ends it.
    pub(crate) async fn end(self) -> Result<(), AnyError> {
        self.process.end().await?;
        Ok(())
    }
}
