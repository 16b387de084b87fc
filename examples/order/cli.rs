//! The command line. Every mode accepts every flag; what a mode has no use for it leaves alone.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::duration;
use crate::shop::STEPS;

/// Takes orders from payment to review, and survives being killed at any point.
///
/// Standard output has one line an order, in the order of the input: id, state and output, separated by tabs.
/// Everything else is on standard error. Run it again with the same orders and it prints the same and does nothing twice.
#[derive(Debug, Clone, Parser)]
// The last of a flag that is given twice counts, so that scripts can add to a command line.
#[command(name = "order", args_override_self = true)]
pub(crate) struct Options {
    /// A JSON array of orders; `-` is standard input. Left out: the file that comes with the example.
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,

    /// Where instances are kept: `sqlite:orders.db`, or `redis://127.0.0.1/` for many machines. Processes that share it
    /// share the work.
    #[arg(long, value_name = "URL", default_value = "sqlite:workflow.db")]
    pub store: String,

    /// What this process does.
    #[arg(long, value_enum, default_value_t = Mode::All)]
    pub mode: Mode,

    /// Where the payment provider listens: client and workers need the same. Left out: a free port.
    #[arg(long, value_name = "HOST:PORT")]
    pub provider: Option<String>,

    /// How long to wait before asking for a review.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "2s")]
    pub follow_up: Duration,

    /// After how long without a sign of life a process's orders are taken over: by another, or by the same command
    /// when it is run again after a crash.
    #[arg(long, value_name = "DURATION", value_parser = lease, default_value = "5s")]
    pub lease: Duration,

    /// A file that every step body appends one line to before it does anything: order, step, key if any, attempt.
    #[arg(long, value_name = "FILE")]
    pub effects: Option<PathBuf>,

    /// How long a step body takes, after its line in the effects file.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0s")]
    pub step_time: Duration,

    /// How many orders this process works on at once, and how many step bodies it has under way: a kill repeats no more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), default_value_t = 1)]
    pub concurrency: u32,

    /// Crash (SIGABRT) as soon as the result of a step of this name is in the store.
    #[arg(long, value_name = "STEP")]
    pub crash_after: Option<String>,
}

/// The shortest and longest lease that the engine takes.
const LEASES: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(600);

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration::parse(text)?;
    if LEASES.contains(&lease) { Ok(lease) } else { Err("a lease is from 500ms to 10m long".to_owned()) }
}

impl Options {
    /// What clap cannot check.
    ///
    /// # Errors
    /// When `--crash-after` names no step.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.crash_after {
            Some(step) if !STEPS.contains(&step.as_str()) => {
                let names: Vec<_> = STEPS.iter().map(|name| format!("\"{name}\"")).collect();
                Err(format!("--crash-after: there is no step \"{step}\"; the steps are {}", names.join(", ")))
            }
            _ => Ok(()),
        }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Everything in one process.
    All,
    /// Creates the orders, serves the webhook, stands in for the payment provider, waits for the results.
    Client,
    /// Only runs orders, until it is told to stop.
    Worker,
}
