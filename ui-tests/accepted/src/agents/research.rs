//! A recursive part: a question is split into smaller ones, answered side by side, down to a depth.

use crate::remote;
use std::io;
use workflow::prelude::*;

async fn split(question: &str, parts: usize) -> io::Result<Vec<String>> {
    remote::answer((1..=parts).map(|part| format!("{question}.{part}")).collect()).await
}

async fn look(question: &str) -> io::Result<u64> {
    remote::answer(question.len() as u64).await
}

#[part]
async fn explore(question: &str, depth: u32) -> Result<u64, StepError> {
    if depth == 0 {
        return step!("look", key = question, look(question)).await;
    }
    let parts = step!("split", key = question, split(question, 2)).await?;
    let found = try_join_all(parts.iter().map(|part| explore(part, depth - 1))).await?;
    Ok(found.into_iter().sum())
}

/// Answers a large question by small ones.
#[workflow]
async fn research(question: String, depth: u32) -> workflow::Result<u64> {
    let found = group!("explore", timeout = 30m, { Ok(explore(&question, depth).await?) }).await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_looked_at() {
        let report = research::test("q".to_owned(), 2).run();
        assert_eq!(report.result, Ok(4 * 5));
        assert_eq!(report.steps.len(), 3 + 4);
    }
}
