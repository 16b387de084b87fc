//! The table as Markdown, for people, and as JSON, for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cells::{Cell, Fault};

/// Everything that was counted.
pub(crate) fn json(cells: &[Cell]) -> serde_json::Result<String> {
    let cells: Vec<Value> = cells
        .iter()
        .map(|cell| {
            json!({
                "store": cell.store,
                "fault": cell.fault.name(),
                "rounds": cell.rounds(),
                "acknowledged": cell.told(),
                "lost": cell.lost(),
                "rounds_with_a_loss": cell.with_loss(),
                "oldest_lost_ms": u64::try_from(cell.oldest().as_millis()).unwrap_or(u64::MAX),
                "lost_over_ms": u64::try_from(cell.span().as_millis()).unwrap_or(u64::MAX),
                "broken": cell.broken(),
            })
        })
        .collect();
    serde_json::to_string_pretty(&cells)
}

/// Rows are stores, columns are faults.
pub(crate) fn markdown(cells: &[Cell]) -> String {
    let mut text = String::from("| store |");
    for fault in Fault::ALL {
        text += &format!(" {} |", fault.name());
    }
    text += &format!("\n|---|{}\n", "---|".repeat(Fault::ALL.len()));
    let mut rows: Vec<&str> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.rounds() > 0) {
        if !rows.contains(&cell.store) {
            rows.push(cell.store);
        }
    }
    for row in rows {
        text += &format!("| {row} |");
        for fault in Fault::ALL {
            let cell = cells.iter().find(|cell| cell.store == row && cell.fault == fault && cell.rounds() > 0);
            text += &format!(" {} |", cell.map_or_else(|| "–".to_owned(), shown));
        }
        text.push('\n');
    }
    text
}

fn shown(cell: &Cell) -> String {
    let mut text = format!("{} of {}", cell.lost(), cell.told());
    // Writing to a text cannot fail.
    let _ = if cell.lost() == 0 {
        write!(text, "; {} rounds", cell.rounds())
    } else {
        let (with, rounds) = (cell.with_loss(), cell.rounds());
        let (oldest, span) = (cell.oldest().as_secs_f64(), cell.span().as_secs_f64());
        write!(text, "; in {with} of {rounds} rounds; {oldest:.1} s old, over {span:.1} s")
    };
    text
}
