//! What is known of each guard, written down as it becomes known.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::guards::Guard;

/// What became of the removal of a guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// This test failed.
    Noticed(String),
    NotNoticed,
    /// Tests of this suite were not over in time.
    TooLate(String),
    /// It was not removed: the list is wrong.
    DoesNotCompile,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noticed(name) => write!(f, "noticed by {name}"),
            Self::NotNoticed => f.write_str("NOT NOTICED"),
            Self::TooLate(suite) => write!(f, "NOT OVER IN TIME: {suite}"),
            Self::DoesNotCompile => f.write_str("DOES NOT COMPILE"),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    guard: String,
    outcome: Outcome,
}

/// The results, and the file they are in.
#[derive(Debug)]
pub(crate) struct Results {
    file: PathBuf,
    known: HashMap<String, Outcome>,
}

impl Results {
    /// Those that are written down already.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(file.parent().ok_or("a file has a folder")?)?;
        let text = fs::read_to_string(file).unwrap_or_default();
        // A line that was broken off is tried again.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        Ok(Self { file: file.to_owned(), known: lines.map(|line| (line.guard, line.outcome)).collect() })
    }

    pub(crate) fn knows(&self, guard: &Guard) -> bool {
        self.known.contains_key(&guard.name)
    }

    pub(crate) fn add(&mut self, guard: &Guard, outcome: Outcome) -> Result<(), Failure> {
        let line = serde_json::to_string(&Line { guard: guard.name.clone(), outcome: outcome.clone() })?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
        writeln!(file, "{line}")?;
        self.known.insert(guard.name.clone(), outcome);
        Ok(())
    }

    /// Whether all that was tried of `guards` was noticed, or may be missed.
    pub(crate) fn all_is_well(&self, guards: &[Guard], reasons: &HashMap<String, String>) -> bool {
        guards.iter().filter_map(|guard| Some((guard, self.known.get(&guard.name)?))).all(|(guard, outcome)| {
            matches!(outcome, Outcome::Noticed(_))
                || *outcome == Outcome::NotNoticed && reasons.contains_key(&guard.name)
        })
    }

    /// One line for each guard, and the sums.
    pub(crate) fn table(&self, guards: &[Guard], reasons: &HashMap<String, String>) -> String {
        let mut table = String::new();
        let (mut noticed, mut missed, mut excused, mut open) = (0, 0, 0, 0);
        for guard in guards {
            let said = match (self.known.get(&guard.name), reasons.get(&guard.name)) {
                (None, _) => {
                    open += 1;
                    continue;
                }
                (Some(Outcome::NotNoticed), Some(reason)) => {
                    excused += 1;
                    format!("not noticed: {reason}")
                }
                (Some(outcome), _) => {
                    *(if matches!(outcome, Outcome::Noticed(_)) { &mut noticed } else { &mut missed }) += 1;
                    outcome.to_string()
                }
            };
            writeln!(table, "{:60} {said}", guard.name).expect("text can be written");
        }
        write!(table, "{noticed} noticed, {missed} missed, {excused} not to be noticed, {open} not tried")
            .expect("text can be written");
        table
    }

    /// The same, for programs.
    pub(crate) fn json(&self, guards: &[Guard], reasons: &HashMap<String, String>) -> String {
        let of = |guard: &Guard| {
            serde_json::json!({
                "guard": guard.name,
                "file": guard.file,
                "outcome": self.known.get(&guard.name),
                "reason": reasons.get(&guard.name),
            })
        };
        let all: Vec<_> = guards.iter().map(of).collect();
        format!("{:#}", serde_json::Value::Array(all))
    }
}
