//! An error enum with a variant for everything a workflow meets, all by `#[from]`.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use thiserror::Error;
use workflow::prelude::*;

/// Why an import failed.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
enum ImportError {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("it took too long")]
    TimedOut(#[from] TimedOut),
    #[error("the check said no")]
    Check(#[from] ChildError<CheckError>),
    #[error("line {line}: {source}")]
    Line { line: usize, source: LineError },
    #[error("the source refused: {0}")]
    Source(SourceError),
}

#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[error("{0} lines")]
struct CheckError(usize);

#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[error("{text:?} is bad")]
struct LineError {
    text: String,
}

#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
enum SourceError {
    #[error("no such file")]
    Missing,
}

impl From<Failure<SourceError>> for ImportError {
    fn from(failure: Failure<SourceError>) -> Self {
        match failure {
            Failure::Failed { error, .. } => Self::Source(error),
            other => Self::Step(other.into()),
        }
    }
}

impl From<StepError> for CheckError {
    fn from(_: StepError) -> Self {
        Self(0)
    }
}

async fn lines(file: &str) -> Result<Vec<String>, SourceError> {
    let lines = remote::answer(file.split(';').map(str::to_owned).collect()).await;
    lines.map_err(|_: io::Error| SourceError::Missing)
}

fn parse(line: usize, text: &str) -> Result<u32, ImportError> {
    text.parse().map_err(|_| ImportError::Line { line, source: LineError { text: text.to_owned() } })
}

/// Checks how long a file is.
#[workflow]
async fn check(lines: usize) -> Result<(), CheckError> {
    let allowed = step!("allowed", remote::answer(3)).await?;
    if lines > allowed { Err(CheckError(lines)) } else { Ok(()) }
}

/// Imports a file.
#[workflow]
async fn import_lines(file: String) -> Result<u32, ImportError> {
    let lines = match step!("lines", lines(&file)).typed().await {
        Ok(lines) => lines,
        Err(Failure::Failed { error: SourceError::Missing, .. }) => return Ok(0),
        Err(failure) => return Err(failure.into()),
    };
    check(lines.len()).await?;
    let numbers = lines.iter().enumerate().map(|(line, text)| parse(line, text)).collect::<Result<Vec<_>, _>>()?;
    let stored = timeout(1h, step!("store", remote::answer(numbers.iter().sum()))).await??;
    let again = step!("again", self::lines(&file)).typed().await?;
    let () = timeout(1m, sleep(1s)).await?;
    assert_eq!(again.len(), lines.len());
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::test_kit::TestError;

    fn imported(file: &str) -> Result<u32, TestError<ImportError>> {
        import_lines::test(file.to_owned()).run().result
    }

    #[test]
    fn each_error_is_kept() {
        assert_eq!(imported("1;2"), Ok(3));
        let bad = ImportError::Line { line: 1, source: LineError { text: "x".to_owned() } };
        assert_eq!(imported("1;x"), Err(TestError::Failed(bad)));
        let long = ImportError::Check(ChildError::Failed(CheckError(4)));
        assert_eq!(imported("1;2;3;4"), Err(TestError::Failed(long)));
        let missing = import_lines::test("1".to_owned()).fail_typed("lines", 1, SourceError::Missing).run();
        assert_eq!(missing.result, Ok(0));
    }
}
