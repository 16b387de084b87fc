//! The table of metrics in the docs is that of the code.

use std::collections::BTreeSet;

use super::source;

/// The names in a text that stand between these two.
fn names(text: &str, before: &str, after: char) -> BTreeSet<String> {
    let rest = text.split(before).skip(1).filter_map(|rest| rest.split_once(after));
    rest.map(|(name, _)| format!("workflow_{name}")).collect()
}

#[test]
fn the_docs_and_the_code_name_the_same_metrics() {
    let read = |path: &str| std::fs::read_to_string(source::root().join(path)).expect("it is there");
    let documented: BTreeSet<String> = read("docs/OBSERVING.md")
        .lines()
        .flat_map(|line| names(line.get(..60).unwrap_or(line), "| `workflow_", '`'))
        .collect();
    let meter = read("workflow/src/engine/meter.rs");
    let (described, measured) = {
        let (before, rest) = meter.split_once("fn described() {").expect("it describes them");
        let (described, after) = rest.split_once("\n}\n").expect("the function ends");
        (names(described, "\"workflow_", '"'), &names(before, "\"workflow_", '"') | &names(after, "\"workflow_", '"'))
    };
    assert!(measured.len() > 20, "{measured:?}");
    assert_eq!(documented, measured, "the table of docs/OBSERVING.md and engine/meter.rs");
    assert_eq!(described, measured, "what is described and what is measured");
}

#[test]
fn only_one_file_names_metrics() {
    for source in source::libraries().iter().filter(|source| !source.path.ends_with("engine/meter.rs")) {
        let named = ["metrics::counter!", "metrics::gauge!", "metrics::histogram!"]
            .iter()
            .any(|word| source.code.contains(word));
        assert!(!named, "{}: what is measured is named in engine/meter.rs", source.path);
    }
}
