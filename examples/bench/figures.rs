//! What is reported, and what this process costs.

use std::time::Duration;

use serde::Serialize;

use crate::AnyError;
use crate::cli::{Scenario, Start};

/// One run. Costs are per workflow.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) scenario: Scenario,
    pub(crate) store: String,
    /// What of the store survives: `none`, `everysec`, `always`; for SQLite its `synchronous`.
    pub(crate) durability: String,
    pub(crate) start: Start,
    pub(crate) workflows: u32,
    pub(crate) in_flight: usize,
    pub(crate) wall_s: f64,
    pub(crate) per_s: f64,
    /// From creation to result.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU of the server; of an embedded store it is in that of the worker.
    pub(crate) store_cpu_us: Option<f64>,
    /// CPU of this process: worker and client.
    pub(crate) worker_cpu_us: f64,
    /// Commands the server carried out, those that scripts call included.
    pub(crate) commands: Option<f64>,
    /// Scripts the server carried out.
    pub(crate) scripts: Option<f64>,
    /// Instances that one script wrote, on average: how many commits were one.
    pub(crate) writes_per_script: Option<f64>,
    /// What a finished instance keeps in the server's memory.
    pub(crate) store_bytes: Option<f64>,
    /// Of this process, at the end.
    pub(crate) rss_mb: f64,
}

/// The value below which so many percent lie.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// User and system time of this process so far, from `/proc`.
pub(crate) fn cpu_time() -> Result<Duration, AnyError> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of the whole line, in ticks of 10 ms; two stand before the last parenthesis.
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// The memory of this process, from `/proc`.
pub(crate) fn resident_mb() -> Result<f64, AnyError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("VmRSS has no value")?.parse()?;
    Ok(kilobytes / 1024.0)
}
