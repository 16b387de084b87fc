//! The code and the journal disagree: both sides, said for a person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run was parked: its code does not ask for what its journal holds. The journal is unchanged; with code that
/// matches it, the run continues.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Divergence {
    /// The position of the record in the journal, from 0; the journal's length when it is past its end.
    pub position: usize,
    /// What the journal holds there, such as `end of step "charge"`, and its path; `None` past its end.
    pub recorded: Option<Side>,
    /// The operations the code had open, at most [`Divergence::SIDES_MAX`], each with its source line.
    pub asked: Vec<Side>,
    /// What happened and what to do.
    pub message: String,
}

/// One side of a disagreement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Side {
    /// In words: `step "charge" [42]`.
    pub operation: String,
    /// The structural path, as recorded.
    pub path: String,
    /// Where the code asks for it: `src/order.rs:12:9`. Records have none.
    pub source: Option<String>,
}

impl Divergence {
    /// Most operations that are listed.
    pub const SIDES_MAX: usize = 8;
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.recorded {
            Some(side) => write!(f, "; the journal has {} at record {}", side.operation, self.position)?,
            None => write!(f, "; the journal ends at record {}", self.position)?,
        }
        if self.asked.is_empty() {
            return f.write_str("; the code waits for nothing");
        }
        f.write_str("; the code waits for ")?;
        for (index, side) in self.asked.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&side.operation)?;
            if let Some(source) = &side.source {
                write!(f, " ({source})")?;
            }
        }
        Ok(())
    }
}
