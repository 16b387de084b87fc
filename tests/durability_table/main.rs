//! Measures what acknowledged writes survive, on each store, setting and fault, and prints it as a table.
//!
//! `scripts/durability-table` runs it; `docs/DURABILITY.md` says how it measures and what came out. Started again by itself
//! as workers and clients.

mod cells;
mod report;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::receipts::crew::RECEIPTS;
use support::receipts::work;

use cells::{Cell, all};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: durability-table ROUNDS MINUTES FILE.json [PART OF A CELL'S NAME]";

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [RECEIPTS, rest @ ..] => work::process(rest).await,
        [rounds, minutes, file] => measure(rounds.parse()?, minutes.parse()?, file.into(), "").await,
        [rounds, minutes, file, part] => measure(rounds.parse()?, minutes.parse()?, file.into(), part).await,
        _ => Err(USAGE.into()),
    }
}

/// Gives every cell its rounds in turn, until all have as many as are wanted, or the time is over; writes what there is after
/// each turn.
async fn measure(rounds: usize, minutes: u64, file: PathBuf, part: &str) -> Outcome {
    let program = std::env::current_exe()?;
    let until = Instant::now() + Duration::from_secs(60 * minutes);
    let mut cells: Vec<Cell> = all().into_iter().filter(|cell| cell.name().contains(part)).collect();
    while cells.iter().any(|cell| cell.rounds() < cell.wanted(rounds)) && Instant::now() < until {
        for index in 0..cells.len() {
            let cell = &mut cells[index];
            if cell.rounds() < cell.wanted(rounds) && Instant::now() < until {
                eprintln!("{}: {} of {} rounds", cell.name(), cell.rounds(), cell.wanted(rounds));
                cell.more(&program).await;
                std::fs::write(&file, report::json(&cells)?)?;
            }
        }
    }
    // A cell that never comes out well has fewer rounds, and says why.
    std::io::stdout().write_all(report::markdown(&cells).as_bytes())?;
    let broken: Vec<&String> = cells.iter().flat_map(Cell::broken).collect();
    if broken.is_empty() { Ok(()) } else { Err(format!("what must not be was seen: {broken:#?}").into()) }
}
