//! What a workflow costs, measured: `cargo run --release -p examples --example bench -- --help`.
//!
//! Machines differ and are noisy; CPU per workflow is the steady figure, rates are not. Every run checks every result
//! and fails if one is wrong.
#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod cli;
mod crew;
mod figures;
mod gauge;
mod naive;
mod plan;
mod process;
mod progress;
mod scenarios;
mod server;
mod spawn;
mod stage;
mod sweep;
mod window;

use clap::Parser as _;

use crate::cli::Arguments;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::server::Place;
use crate::stage::Stage;

/// What ends a run: shown, never handled.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), AnyError> {
    let arguments = Arguments::parse();
    if let Some(sweep) = arguments.sweep {
        return sweep::run(sweep, &arguments);
    }
    let load = process::load()?;
    let place = Place::of(&arguments.store)?;
    let plan = Plan::of(&arguments, &place)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(plan.threads).enable_all().build()?;
    if let Some(namespace) = &arguments.work_in {
        return runtime.block_on(crew::work(&arguments, namespace));
    }
    let figures = runtime.block_on(measure(&arguments.store, load, &plan, &place))?;
    println!("{}", if arguments.json { serde_json::to_string(&figures)? } else { format!("{figures:#?}") });
    Ok(())
}

async fn measure(store: &str, load: f64, plan: &Plan, place: &Place) -> Result<Figures, AnyError> {
    let mut stage = Stage::of(plan, place).await?;
    let progress = Progress::of(plan.workflows);
    let outcome = scenarios::run(&mut stage).await?;
    drop(progress);
    let figures = Figures::of(store, load, &stage, outcome)?;
    stage.dismiss().await?;
    Ok(figures)
}
