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
    /// What the run did and what its replay did; set where a run that had ended was compared with its replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
}

/// What a run did and what a replay of its journal did: a line for each operation, numbered in the order of asking, and
/// a last one for the end. No line holds a payload.
///
/// What stands in a group that the replay took as finished is left out on both sides. Of long traces, only
/// [`Traces::LINES_AROUND`] lines on each side of the first difference are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Traces {
    /// What the run did. The line that differs first begins with `> `, the others with two spaces.
    pub run: Vec<String>,
    /// What its replay did.
    pub replay: Vec<String>,
}

impl Traces {
    /// How many lines are kept on each side of the first difference.
    pub const LINES_AROUND: usize = 12;
    /// Most characters of a line; the rest is cut.
    pub const LINE_CHARS_MAX: usize = 240;
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, lines) in [("the run:", &self.run), ("its replay:", &self.replay)] {
            write!(f, "\n{side}")?;
            lines.iter().try_for_each(|line| write!(f, "\n{line}"))?;
        }
        Ok(())
    }
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

    /// Where the journal and the code stand.
    fn fmt_sides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.traces {
            Some(traces) => traces.fmt(f),
            None => self.fmt_sides(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divergence_reads_back_with_its_traces_and_from_before_there_were_any() {
        let written = r#"{"position":4,"recorded":null,"asked":[],"message":"it differs"}"#;
        let divergence: Divergence = serde_json::from_str(written).expect("an old one is readable");
        assert_eq!(
            serde_json::to_string(&divergence).expect("writes"),
            written,
            "without traces it is written as before"
        );
        assert_eq!(divergence.to_string(), "it differs; the journal ends at record 4; the code waits for nothing");
        let line = |text: &str| vec![text.to_owned()];
        let traces = Traces { run: line("> an output"), replay: line("> a panic") };
        let compared = Divergence { traces: Some(traces), ..divergence };
        let written = serde_json::to_string(&compared).expect("writes");
        assert_eq!(serde_json::from_str::<Divergence>(&written).expect("reads"), compared);
        assert_eq!(compared.to_string(), "it differs\nthe run:\n> an output\nits replay:\n> a panic");
    }

    #[test]
    fn a_divergence_lists_what_the_code_waits_for() {
        let side = |operation: &str, source: Option<&str>| Side {
            operation: operation.to_owned(),
            path: String::new(),
            source: source.map(str::to_owned),
        };
        let asked = vec![side("step a", Some("order.rs:1:1")), side("a sleep", None), side("wait b", None)];
        let divergence = Divergence {
            position: 4,
            recorded: Some(side("step c", None)),
            asked,
            message: "it differs".to_owned(),
            traces: None,
        };
        let said =
            "it differs; the journal has step c at record 4; the code waits for step a (order.rs:1:1), a sleep, wait b";
        assert_eq!(divergence.to_string(), said);
    }
}
