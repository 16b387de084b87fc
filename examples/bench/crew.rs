//! Worker processes: this program started again, with the store as its argument.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use workflow::{Engine, Mode};

use crate::AnyError;
use crate::cli::{Arguments, Results};
use crate::plan::Plan;
use crate::process::{cpu_time, most_memory_mb};
use crate::stage::GRACE;

/// What a worker says when it has started.
const STARTED: &str = "started";
/// How long a worker process may take to start, and to end.
const LIMIT: Duration = Duration::from_secs(60);

/// The worker processes of a run: none, where this process works. They end with it, whatever it dies of.
#[derive(Debug, Default)]
pub(crate) struct Crew(Vec<Member>);

#[derive(Debug)]
struct Member {
    child: Child,
    /// It works until this is closed.
    until: ChildStdin,
    id: String,
}

impl Crew {
    /// Starts those that are planned, and waits until all have.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) async fn start(plan: &Plan, url: &str, namespace: &str) -> Result<Self, AnyError> {
        let mut members = Vec::new();
        for _ in 0..plan.processes {
            members.push(Member::start(plan, url, namespace)?);
        }
        let mut crew = Vec::new();
        for starting in members {
            crew.push(timeout(LIMIT, starting.started()).await.map_err(|_| "a worker process does not start")??);
        }
        Ok(Self(crew))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// User and system time of all of them together so far.
    ///
    /// # Errors
    /// When one has ended.
    pub(crate) fn cpu_time(&self) -> Result<Duration, AnyError> {
        self.0.iter().map(|member| cpu_time(&member.id)).sum()
    }

    /// The most memory that one of them has had.
    ///
    /// # Errors
    /// When one has ended.
    pub(crate) fn most_memory_mb(&self) -> Result<f64, AnyError> {
        self.0.iter().try_fold(0.0, |most: f64, member| Ok(most.max(most_memory_mb(&member.id)?)))
    }

    /// Tells them to end, and waits until they have.
    ///
    /// # Errors
    /// When one does not end well.
    pub(crate) async fn end(&mut self) -> Result<(), AnyError> {
        let ending: Vec<Child> = self.0.drain(..).map(Member::told_to_end).collect();
        for mut child in ending {
            let ended = timeout(LIMIT, child.wait()).await.map_err(|_| "a worker process does not end")??;
            if !ended.success() {
                return Err(format!("a worker process ended with {ended}").into());
            }
        }
        Ok(())
    }
}

impl Member {
    fn start(plan: &Plan, url: &str, namespace: &str) -> Result<Self, AnyError> {
        let mut command = Command::new(std::env::current_exe()?);
        let (in_flight, threads) = (plan.in_flight.to_string(), plan.threads.to_string());
        command.args(["--store", url, "--work-in", namespace, "--in-flight", &in_flight, "--threads", &threads]);
        if plan.results == Results::Alone {
            command.args(["--results", "alone"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let until = child.stdin.take().ok_or("a worker process has no standard input")?;
        let id = child.id().ok_or("a worker process ended at once")?.to_string();
        Ok(Self { child, until, id })
    }

    async fn started(mut self) -> Result<Self, AnyError> {
        let output = self.child.stdout.take().ok_or("a worker process has no standard output")?;
        let said = BufReader::new(output).lines().next_line().await?;
        if said.as_deref() == Some(STARTED) { Ok(self) } else { Err("a worker process did not start".into()) }
    }

    fn told_to_end(self) -> Child {
        drop(self.until);
        self.child
    }
}

/// Works, in a process of its own, until standard input ends.
///
/// # Errors
/// When the engine does not start, or who started it is gone.
pub(crate) async fn work(arguments: &Arguments, namespace: &str) -> Result<(), AnyError> {
    let builder = Engine::builder().store(arguments.store.as_str()).namespace(namespace).mode(Mode::Worker);
    let builder = builder.concurrency(arguments.in_flight).hold_results(arguments.results == Results::Held);
    let engine = builder.start().await?;
    println!("{STARTED}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    engine.shutdown(GRACE).await;
    Ok(())
}
