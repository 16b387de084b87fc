//! The command line.

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Measures workflows per second, latency, and CPU per workflow.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(long, value_enum, default_value_t = Scenario::Wf3)]
    pub(crate) scenario: Scenario,
    /// The store's url, or 'redis:spawn?appendfsync=everysec' for a Redis server of the run's own; without appendfsync
    /// it writes nothing to disk. Other settings of the server may follow: 'redis:spawn?appendfsync=always&io-threads=2'.
    #[arg(long, default_value = "sqlite::memory:")]
    pub(crate) store: String,
    /// How many workflows.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workflows: u32,
    /// How many at a time.
    #[arg(long, default_value_t = 256, value_parser = at_least_one)]
    pub(crate) in_flight: usize,
    /// Whether instances start in the engine that creates them, or are queued and claimed by another one.
    #[arg(long, value_enum, default_value_t = Start::Local)]
    pub(crate) start: Start,
    /// Print one line of JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "must be a whole number, at least 1".to_owned())
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// Three steps each, created in batches of 100, every result awaited.
    Wf3,
    /// One step each, one after another.
    Alone,
    /// The work of wf3, written directly with single Redis commands: what wf3 is compared with.
    Naive,
}

/// Where instances start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// In the engine that creates them.
    Local,
    /// In a second engine of this process, which claims them.
    Queued,
}
