//! What processes cost, and what machine they run on, from `/proc`.

use std::time::Duration;

use crate::AnyError;

/// User and system time of a process so far; `self` is this one.
///
/// # Errors
/// When there is no such process (any more).
pub(crate) fn cpu_time(process: &str) -> Result<Duration, AnyError> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of the whole line, in ticks of 10 ms; two stand before the last parenthesis.
    let ticks = |at: usize| -> Result<u64, AnyError> { Ok(fields.get(at).ok_or("a short line in /proc")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// The most memory that a process has had at a time.
///
/// # Errors
/// As [`cpu_time`].
pub(crate) fn most_memory_mb(process: &str) -> Result<f64, AnyError> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc")?;
    let kilobytes: f64 = value.split_whitespace().next().ok_or("VmHWM has no value")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// The machine's processor, as it names itself.
pub(crate) fn processor() -> Option<String> {
    let known = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = known.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// How many tasks wanted to run in the last minute, on average: with more than there are processors, figures are worth
/// little.
///
/// # Errors
/// When `/proc` does not say.
pub(crate) fn load() -> Result<f64, AnyError> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().ok_or("/proc/loadavg is empty")?.parse()?)
}
