//! The table of metrics in the docs.

use std::collections::BTreeSet;

/// A metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metric {
    pub(crate) name: String,
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: String,
    pub(crate) in_seconds: bool,
    pub(crate) labels: BTreeSet<String>,
}

/// All of them.
pub(crate) fn read() -> BTreeSet<Metric> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OBSERVING.md")).expect("docs");
    text.lines().filter(|line| line.starts_with("| `workflow_")).map(row).collect()
}

fn row(line: &str) -> Metric {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, name, kind, unit, labels, ..] = cells.as_slice() else { panic!("not a row: {line}") };
    let plain = |cell: &str| cell.trim_matches('`').to_owned();
    let labels = labels.split(", ").filter(|label| !label.is_empty()).map(plain).collect();
    Metric { name: plain(name), kind: (*kind).to_owned(), in_seconds: *unit == "seconds", labels }
}
