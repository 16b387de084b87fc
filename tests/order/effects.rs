//! The effects file: what really ran.

use std::collections::BTreeMap;
use std::path::Path;

/// One line: one execution of a step body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Execution {
    pub order: String,
    pub step: String,
    pub key: Option<String>,
    pub attempt: u32,
}

impl Execution {
    /// The first attempt of a step.
    pub(crate) fn first(order: &str, step: &str, key: Option<&str>) -> Self {
        Self { order: order.to_owned(), step: step.to_owned(), key: key.map(str::to_owned), attempt: 1 }
    }

    fn parse(line: &str) -> Self {
        let columns: Vec<_> = line.split('\t').collect();
        let (order, step, key, attempt) = match columns[..] {
            [order, step, attempt] => (order, step, None, attempt),
            [order, step, key, attempt] => (order, step, Some(key), attempt),
            _ => panic!("three or four columns: {line:?}"),
        };
        let attempt = attempt.parse().expect("the last column is a number");
        Self { attempt, ..Self::first(order, step, key) }
    }
}

/// All lines of the file so far, oldest first; none when no body ran.
pub(crate) fn read(file: &Path) -> Vec<Execution> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "every line is written whole");
    text.lines().map(Execution::parse).collect()
}

/// How often each ran.
pub(crate) fn counts(executions: &[Execution]) -> BTreeMap<Execution, usize> {
    let mut counts = BTreeMap::new();
    for execution in executions {
        *counts.entry(execution.clone()).or_default() += 1;
    }
    counts
}

/// Fails if a body of an order ran after its last one.
pub(crate) fn check_nothing_after_the_end(executions: &[Execution]) {
    for (at, execution) in executions.iter().enumerate() {
        let ends = ["cancel order", "ask for review"].contains(&execution.step.as_str());
        let later =
            executions[at + 1..].iter().find(|later| later.order == execution.order && later.step != execution.step);
        assert!(!ends || later.is_none(), "{later:?} after {execution:?}");
    }
}
