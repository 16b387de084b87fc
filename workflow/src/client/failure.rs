//! A recorded failure, as users read it.

use std::fmt;

use serde::Serialize;

use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::{FailureData, FailureKind};

/// How a run, or an attempt of a step or group, failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedError {
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// The type of the error, as the compiler names it; empty when it was boxed.
    pub class: String,
    /// What the error says of itself.
    pub message: String,
    /// What its sources say, nearest first.
    pub chain: Vec<String>,
    /// Attempts made, this one included.
    pub attempts: u32,
    /// Whether the error itself ruled out retries.
    pub fatal: bool,
    /// For the error of a run: the operation it came from, such as `step "charge"`, where the journal shows one.
    pub step: Option<String>,
}

impl RecordedError {
    pub(super) fn new(failure: &FailureData) -> Self {
        Self {
            kind: failure.kind,
            class: failure.class.clone(),
            message: failure.message.clone(),
            chain: failure.chain.clone(),
            attempts: failure.attempts,
            fatal: failure.fatal,
            step: None,
        }
    }

    /// The error of a run, whose journal ends with `tail`.
    pub(super) fn of_run(failure: &FailureData, tail: &[Record]) -> Self {
        Self { step: origin(failure, tail).map(Path::to_string), ..Self::new(failure) }
    }
}

impl fmt::Display for RecordedError {
    /// The message; with `{:#}` also what its sources say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if f.alternate() {
            self.chain.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for RecordedError {}

/// The operation that a run's error came from.
///
/// The journal does not say; but a run that ends with `?` ends at once after that operation's record, and an error that
/// is passed on later repeats its message.
fn origin<'a>(failure: &FailureData, tail: &'a [Record]) -> Option<&'a Path> {
    let failed = |record: &'a Record| match &record.entry {
        Entry::Done(Outcome::Failed(failure)) => Some((&record.path, failure)),
        _ => None,
    };
    let repeats = |inner: &FailureData| {
        let texts = std::iter::once(&failure.message).chain(&failure.chain);
        !inner.message.is_empty() && texts.into_iter().any(|text| text.contains(&inner.message))
    };
    let last = tail.len().checked_sub(1)?;
    let (index, (path, _)) = tail
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(index, record)| Some((index, failed(record)?)))
        .find(|(index, (_, inner))| *index == last || repeats(inner))?;
    Some(innermost(path, &tail[..index]))
}

/// A group fails because of what failed last inside it.
fn innermost<'a>(path: &'a Path, before: &'a [Record]) -> &'a Path {
    let is_group = path.last().is_some_and(|segment| segment.kind == Kind::Group);
    let inside = |record: &&Record| record.path.enclosing().any(|scope| scope == path.as_str());
    let failed = |record: &&Record| matches!(record.entry, Entry::Done(Outcome::Failed(_)));
    match before.iter().enumerate().rfind(|(_, record)| failed(record) && inside(record)) {
        Some((index, inner)) if is_group => innermost(&inner.path, &before[..index]),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::Timestamp;

    fn record(path: &Path, outcome: Outcome) -> Record {
        Record { time: Timestamp::from_millis(0), path: path.clone(), entry: Entry::Done(outcome) }
    }

    fn failure(message: &str) -> FailureData {
        FailureData::new(FailureKind::Failed, "", message)
    }

    #[test]
    fn the_error_of_a_run_names_the_operation_it_came_from() {
        let charge = Path::root().join(Kind::Step, "charge", None, 0);
        let refund = Path::root().join(Kind::Step, "refund", None, 0);
        let group = Path::root().join(Kind::Group, "ship", None, 0);
        let inner = group.join(Kind::Step, "label", None, 0);
        let step = |failed: &str, tail: &[Record]| RecordedError::of_run(&failure(failed), tail).step;

        let at_the_end = [record(&charge, Outcome::Failed(failure("no money")))];
        assert_eq!(step("rejected", &at_the_end).as_deref(), Some("step \"charge\""));

        let compensated = [at_the_end[0].clone(), record(&refund, Outcome::Slept)];
        assert_eq!(step("step \"charge\" failed: no money", &compensated).as_deref(), Some("step \"charge\""));
        assert_eq!(step("something else", &compensated), None);

        let grouped =
            [record(&inner, Outcome::Failed(failure("jam"))), record(&group, Outcome::Failed(failure("no label")))];
        assert_eq!(step("no label", &grouped).as_deref(), Some("group \"ship\" › step \"label\""));
        assert_eq!(step("no label", &[]), None);
    }
}
