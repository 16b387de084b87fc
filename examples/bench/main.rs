//! What a workflow costs, measured: `cargo run --release -p examples --example bench -- --help`.
//!
//! Machines differ and are noisy; CPU per workflow is the steady figure, rates are not. Every run checks every result
//! and fails if one is wrong.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod cli;
mod figures;
mod naive;
mod progress;
mod server;
mod workload;

use std::time::{Duration, Instant};

use clap::Parser as _;
use workflow::{Engine, Mode};

use crate::cli::{Arguments, Scenario, Start};
use crate::figures::{Figures, cpu_time, percentile, resident_mb};
use crate::progress::Progress;
use crate::server::Place;

/// What ends a run: shown, never handled.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// How long what is under way may take to end.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> Result<(), AnyError> {
    let arguments = Arguments::parse();
    let place = Place::of(&arguments.store)?;
    if !place.on_server() && (arguments.scenario == Scenario::Naive || arguments.start == Start::Queued) {
        return Err("this needs Redis: --store 'redis:spawn?appendfsync=everysec' starts one".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(&arguments, &place))?;
    println!("{}", if arguments.json { serde_json::to_string(&figures)? } else { format!("{figures:#?}") });
    Ok(())
}

async fn measure(arguments: &Arguments, place: &Place) -> Result<Figures, AnyError> {
    let engines = Engines::start(arguments, place).await?;
    let (workflows, in_flight) = (usize::try_from(arguments.workflows)?, arguments.in_flight);
    let progress = Progress::of(workflows);
    let before = place.look()?;
    let (began, cpu) = (Instant::now(), cpu_time()?);
    let mut latencies = match (arguments.scenario, engines.creating()) {
        (Scenario::Wf3, Some(engine)) => workload::wf3(engine, workflows, in_flight).await?,
        (Scenario::Alone, Some(engine)) => workload::alone(engine, workflows).await?,
        (_, _) => naive::wf3(&place.url, workflows, in_flight).await?,
    };
    let (wall, cpu) = (began.elapsed(), cpu_time()?.saturating_sub(cpu));
    let after = place.look()?;
    drop(progress);
    if latencies.len() != workflows {
        return Err(format!("{} results of {workflows} workflows", latencies.len()).into());
    }
    latencies.sort_unstable();
    let each = |total: f64| total / f64::from(arguments.workflows);
    let looks = before.zip(after);
    let figures = Figures {
        scenario: arguments.scenario,
        store: arguments.store.clone(),
        durability: place.durability()?,
        start: arguments.start,
        workflows: arguments.workflows,
        in_flight: if arguments.scenario == Scenario::Alone { 1 } else { in_flight },
        wall_s: wall.as_secs_f64(),
        per_s: f64::from(arguments.workflows) / wall.as_secs_f64(),
        p50_ms: percentile(&latencies, 50).as_secs_f64() * 1e3,
        p99_ms: percentile(&latencies, 99).as_secs_f64() * 1e3,
        store_cpu_us: looks.map(|(before, after)| each((after.cpu - before.cpu).as_secs_f64() * 1e6)),
        worker_cpu_us: each(cpu.as_secs_f64() * 1e6),
        commands: looks.map(|(before, after)| each(difference(before.commands, after.commands))),
        scripts: looks.map(|(before, after)| each(difference(before.scripts, after.scripts))),
        writes_per_script: looks
            .filter(|_| arguments.scenario != Scenario::Naive)
            .map(|(before, after)| difference(before.writes, after.writes) / difference(before.scripts, after.scripts)),
        store_bytes: looks.map(|(before, after)| each(difference(before.bytes, after.bytes))),
        rss_mb: resident_mb()?,
    };
    engines.shut_down().await;
    Ok(figures)
}

fn difference(before: u64, after: u64) -> f64 {
    // Counts and sizes of one run are far below where a float is no longer exact.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let (before, after) = (before as f64, after as f64);
    after - before
}

/// The engines of a run: none, one that creates and runs, or one that creates and one that runs.
struct Engines(Vec<Engine>);

impl Engines {
    async fn start(arguments: &Arguments, place: &Place) -> Result<Self, AnyError> {
        let modes: &[Mode] = match (arguments.scenario, arguments.start) {
            (Scenario::Naive, _) => &[],
            (_, Start::Local) => &[Mode::All],
            (_, Start::Queued) => &[Mode::Client, Mode::Worker],
        };
        let mut engines = Vec::new();
        for mode in modes {
            let builder = Engine::builder().store(place.url.as_str()).mode(*mode).concurrency(arguments.in_flight);
            engines.push(builder.start().await?);
        }
        Ok(Self(engines))
    }

    /// The one that creates.
    fn creating(&self) -> Option<&Engine> {
        self.0.first()
    }

    async fn shut_down(self) {
        for engine in self.0 {
            engine.shutdown(GRACE).await;
        }
    }
}
