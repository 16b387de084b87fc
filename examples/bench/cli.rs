//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Measures workflows per second, latency, and CPU per workflow.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(long, value_enum, default_value_t = Scenario::Wf3)]
    pub(crate) scenario: Scenario,
    /// Measure over a row of values instead, and print a table of costs and how they grow.
    #[arg(long, value_enum, conflicts_with_all = ["scenario", "steps", "bytes", "window", "seconds", "waiting"])]
    pub(crate) sweep: Option<Sweep>,
    /// The store's url, or 'redis:spawn?appendfsync=everysec' for a Redis server of the run's own; without appendfsync
    /// it writes nothing to disk. Other settings of the server may follow: 'redis:spawn?appendfsync=always&io-threads=2'.
    /// 'redis+cluster:spawn?nodes=3&appendfsync=everysec' starts a cluster of primaries.
    /// On a store that was there before, instances stay behind: in a namespace of the run's own.
    #[arg(long, default_value = "sqlite::memory:")]
    pub(crate) store: String,
    /// How many workflows; if not given, so many that the scenario takes some seconds. Of idle: how many wait meanwhile.
    #[arg(long)]
    pub(crate) workflows: Option<u32>,
    /// So many threads of each process that works. If not given, one fewer than the machine has processors where a server
    /// works on it too, else as many.
    #[arg(long, value_parser = at_least_one)]
    pub(crate) threads: Option<usize>,
    /// Whether the result of a last step may travel with the end that it leads to.
    #[arg(long, value_enum, default_value_t = Results::Held)]
    pub(crate) results: Results,
    /// How many at a time, and how many each worker drives at once.
    #[arg(long, default_value_t = 256, value_parser = at_least_one)]
    pub(crate) in_flight: usize,
    /// So many worker processes, up to 64; with 0 this process does the work.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=64))]
    pub(crate) processes: u32,
    /// Whether instances start in the engine that creates them, or are queued and claimed by another one.
    #[arg(long, value_enum, default_value_t = Start::Local)]
    pub(crate) start: Start,
    /// Steps of each instance of fanout (up to 10,000), long and replay (up to 20,000).
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) steps: u32,
    /// Bytes of each input, result and output of payload.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) bytes: u32,
    /// How long the sleepers take to wake, one after the other.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) window: Duration,
    /// How long idle looks, and how long it lets the engines settle first (10 s at most). CPU is counted in 10 ms.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// So many other instances wait for an event while the scenario is measured.
    #[arg(long, default_value_t = 0)]
    pub(crate) waiting: u32,
    /// The largest value that a sweep goes to; if not given, the last of its row, but 100,000 of waiting.
    #[arg(long, requires = "sweep")]
    pub(crate) most: Option<u32>,
    /// Print JSON instead of text, one line a run.
    #[arg(long)]
    pub(crate) json: bool,
    /// Be a worker process, in this namespace, until standard input ends.
    #[arg(long, hide = true)]
    pub(crate) work_in: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a whole number, at least 1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = workflow::words::duration::parse(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(duration) }
}

fn seconds(text: &str) -> Result<f64, String> {
    let within = |seconds: &f64| (0.1..=3600.0).contains(seconds);
    text.parse().ok().filter(within).ok_or_else(|| "must be a number from 0.1 to 3600".to_owned())
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Results {
    /// One may wait for what it leads to at once, and be written with that.
    Held,
    /// Each by itself, before anything else.
    Alone,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// Three steps each, created in batches of 100, every result awaited.
    Wf3,
    /// One step each, one after another.
    Alone,
    /// The instances of wf3, all created first; what is measured is how they are worked off by workers that start then.
    Drain,
    /// The instances of wf3, created only.
    Create,
    /// Each waits for an event, which is sent when it waits; measured from the create, latency from the event.
    Events,
    /// All sleep, and wake one after the other within a window; lateness is by the store's clock.
    Sleepers,
    /// Each has many steps, all at once.
    Fanout,
    /// Each has many steps, one after the other.
    Long,
    /// Instances that have many records and wait are recovered by an engine that has never seen them.
    Replay,
    /// Inputs, results and outputs of so many bytes.
    Payload,
    /// Of ten instances four have steps, two sleep, two wait for an event, and two for a child.
    Mixed,
    /// Nothing happens.
    Idle,
    /// The work of wf3, written directly with single Redis commands: what wf3 is compared with.
    Naive,
}

/// Where instances start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// In the engine that creates them.
    Local,
    /// In another engine, which claims them: of this process, or of worker processes.
    Queued,
}

/// What a sweep changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sweep {
    /// wf3 with 1 to 10,000 instances at a time.
    InFlight,
    /// long with 10 to 10,000 steps, ten instances at a time.
    Journal,
    /// payload with 1 byte to 256 KiB.
    Payload,
    /// wf3 while 100 to 1,000,000 other instances wait.
    Waiting,
    /// wf3 with 1 to 8 worker processes.
    Workers,
    /// wf3 on 1 to 16 partitions.
    Partitions,
}
