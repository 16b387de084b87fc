//! What a workflow costs, measured: `cargo run --release -p examples --example bench -- --help`.
//!
//! Machines differ and are noisy; CPU per workflow is the steady figure, rates are not. Every run checks every result
//! and fails if one is wrong.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde::Serialize;
use tokio::task::JoinSet;
use workflow::prelude::*;

/// Three trivial steps, each durable on its own.
#[workflow]
async fn three_steps() -> workflow::Result<[u32; 3]> {
    let one = step!("Step 1", trivial(1)).await?;
    let two = step!("Step 2", trivial(2)).await?;
    let three = step!("Step 3", trivial(3)).await?;
    Ok([one, two, three])
}

/// One trivial step.
#[workflow]
async fn one_step() -> workflow::Result<u32> {
    Ok(step!("Step", trivial(1)).await?)
}

async fn trivial(value: u32) -> Result<u32, std::convert::Infallible> {
    Ok(value)
}

/// Measures workflows per second, latency, and CPU per workflow.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    #[arg(long, value_enum, default_value_t = Scenario::Wf3)]
    scenario: Scenario,
    /// The store's url.
    #[arg(long, default_value = "sqlite::memory:")]
    store: String,
    /// How many workflows.
    #[arg(long, default_value_t = 10_000)]
    workflows: usize,
    /// How many at a time.
    #[arg(long, default_value_t = 256)]
    in_flight: usize,
    /// Print one line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Scenario {
    /// Three steps each, created in batches of 100, every result awaited.
    Wf3,
    /// One step each, one after another.
    Alone,
}

#[derive(Debug, Serialize)]
struct Figures {
    scenario: Scenario,
    store: String,
    workflows: usize,
    in_flight: usize,
    wall_s: f64,
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU of this process, microseconds per workflow: worker, client and an embedded store.
    worker_cpu_us: f64,
    rss_mb: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let engine = Engine::builder().store(arguments.store.as_str()).concurrency(arguments.in_flight).start().await?;
    let (began, cpu) = (Instant::now(), cpu_time()?);
    let mut latencies = match arguments.scenario {
        Scenario::Wf3 => wf3(&engine, &arguments).await?,
        Scenario::Alone => alone(&engine, arguments.workflows).await?,
    };
    let (wall, cpu) = (began.elapsed(), cpu_time()?.saturating_sub(cpu));
    latencies.sort_unstable();
    let count = f64::from(u32::try_from(arguments.workflows)?);
    let figures = Figures {
        scenario: arguments.scenario,
        store: arguments.store.clone(),
        workflows: arguments.workflows,
        in_flight: arguments.in_flight,
        wall_s: wall.as_secs_f64(),
        per_s: count / wall.as_secs_f64(),
        p50_ms: percentile(&latencies, 50).as_secs_f64() * 1e3,
        p99_ms: percentile(&latencies, 99).as_secs_f64() * 1e3,
        worker_cpu_us: cpu.as_secs_f64() * 1e6 / count,
        rss_mb: resident_mb()?,
    };
    engine.shutdown(Duration::from_secs(5)).await;
    println!("{}", if arguments.json { serde_json::to_string(&figures)? } else { format!("{figures:#?}") });
    Ok(())
}

/// Batches of 100, at most `in_flight` instances between their creation and their result.
async fn wf3(engine: &Engine, arguments: &Arguments) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let mut latencies = Vec::with_capacity(arguments.workflows);
    let mut waiting = JoinSet::new();
    let mut left = arguments.workflows;
    while left > 0 {
        let size = left.min(100).min(arguments.in_flight);
        left -= size;
        while waiting.len() + size > arguments.in_flight {
            latencies.extend(waiting.join_next().await.transpose()?);
        }
        let began = Instant::now();
        for outcome in three_steps::create_batch(engine, (0..size).map(|_| three_steps::new())).await? {
            let instance = outcome?;
            waiting.spawn(async move {
                let output = instance.result().await.expect("a trivial workflow completes");
                assert_eq!(output, [1, 2, 3], "the output of {}", instance.id());
                began.elapsed()
            });
        }
    }
    while let Some(latency) = waiting.join_next().await {
        latencies.push(latency?);
    }
    Ok(latencies)
}

async fn alone(engine: &Engine, workflows: usize) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let mut latencies = Vec::with_capacity(workflows);
    for _ in 0..workflows {
        let began = Instant::now();
        let output = one_step::create(engine).await?.result().await?;
        assert_eq!(output, 1);
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// User and system time of this process so far, from `/proc`.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of the whole line, in ticks of 10 ms; two stand before the last parenthesis.
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn resident_mb() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("VmRSS has no value")?.parse()?;
    Ok(kilobytes / 1024.0)
}
