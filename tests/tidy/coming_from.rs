//! `docs/COMING_FROM_BULLMQ_WORKFLOWS.md` says where each thing of the model library is tested: those tests are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::source;

const DOCUMENT: &str = "docs/COMING_FROM_BULLMQ_WORKFLOWS.md";

/// The samples of the model's README, as tests.
const PORTED: &str = "tests/semantics/ported";

/// One test for each bug of the model.
const BUGS: &str = "tests/semantics/bugs";

/// Where the Rust of the document is taken from.
const SAMPLES: &str = "tests/semantics/ported/approvals.rs";

fn document() -> String {
    read(&source::root().join(DOCUMENT))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of each row of each table, headings left out.
fn rows(document: &str) -> Vec<Vec<String>> {
    let is_row = |line: &&str| line.starts_with('|');
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in document.lines().filter(is_row) {
        // A `|` within a cell is written `\|`.
        let line = line.trim_matches('|').replace("\\|", "\u{1}");
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        if cells.iter().all(|cell| cell.starts_with("---")) {
            rows.pop();
        } else {
            rows.push(cells);
        }
    }
    rows
}

/// A file that a cell links to, and what the cell names of it: the words in backticks up to the next link.
struct Reference {
    path: PathBuf,
    names: Vec<String>,
}

fn references(cell: &str) -> Vec<Reference> {
    cell.split("](../")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once(')').expect("a link ends");
            let names = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Reference { path: PathBuf::from(path), names }
        })
        .collect()
}

/// Whether the text has a test of this name: marked as one, or a fn that is also listed among those for every store.
fn has_test(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| *word == name).count();
    words >= 2 || text.contains(&format!("#[test]\nfn {name}(")) || text.contains(&format!("#[test]\n    fn {name}("))
}

/// What is wrong with the last cell of a row.
fn wrong_with(cell: &str) -> Option<String> {
    let references = references(cell);
    if references.is_empty() {
        return (!cell.starts_with("no test: ")).then(|| "no test, and not why".to_owned());
    }
    references.iter().find_map(|Reference { path, names }| {
        let full = source::root().join(path);
        // A program that must not compile is a test of its own.
        if path.starts_with("ui-tests/fail") {
            let message = full.with_extension("stderr");
            return (!full.is_file() || !message.is_file()).then(|| format!("{} is not there", path.display()));
        }
        let Ok(text) = fs::read_to_string(&full) else { return Some(format!("{} is not there", path.display())) };
        if names.is_empty() {
            return Some(format!("no test of {} is named", path.display()));
        }
        let missing = names.iter().find(|name| !has_test(&text, name))?;
        Some(format!("{} has no test {missing}", path.display()))
    })
}

#[test]
fn every_row_names_tests_that_are_there_or_says_why_not() {
    let rows = rows(&document());
    assert!(rows.len() > 120, "the tables are read: {} rows", rows.len());
    let wrong: Vec<_> =
        rows.iter().filter_map(|row| Some(format!("{}: {}", row.join(" | "), wrong_with(row.last()?)?))).collect();
    assert!(wrong.is_empty(), "{DOCUMENT}:\n{}", wrong.join("\n"));
}

#[test]
fn every_bug_of_the_model_has_a_row_and_its_test() {
    let rows = rows(&document());
    for number in 1..=26 {
        let row = rows.iter().find(|row| row[0] == format!("B{number}"));
        let row = row.unwrap_or_else(|| panic!("{DOCUMENT} has no row of B{number}"));
        let names: Vec<_> = references(&row[3]).into_iter().flat_map(|reference| reference.names).collect();
        assert!(names.iter().any(|name| name.starts_with(&format!("b{number:02}_"))), "B{number}: {names:?}");
    }
}

#[test]
fn every_ported_sample_and_every_bug_is_in_the_document() {
    let document = document();
    let named: BTreeSet<_> = document.split('`').skip(1).step_by(2).collect();
    let mut tests = 0;
    for folder in [PORTED, BUGS] {
        for entry in fs::read_dir(source::root().join(folder)).expect("the folder is there") {
            let path = entry.expect("a folder of the repository can be read").path();
            for name in tests_of(&read(&path)) {
                assert!(named.contains(name.as_str()), "{DOCUMENT} does not name {name} of {}", path.display());
                tests += 1;
            }
        }
    }
    assert!(tests > 40, "the tests are found: {tests}");
}

/// The tests of a file: those listed for every store, and those marked.
fn tests_of(text: &str) -> Vec<String> {
    let listed = text.split_once("on_every_store!(").and_then(|(_, rest)| rest.split_once(");"));
    let listed = listed.map_or("", |(list, _)| list).split(',').map(str::trim);
    let marked = text.split("#[test]\nfn ").skip(1).filter_map(|rest| Some(rest.split_once('(')?.0));
    listed.chain(marked).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_rust_of_the_document_is_what_runs() {
    let flat = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let samples = flat(&read(&source::root().join(SAMPLES)));
    let document = document();
    let blocks: Vec<_> = document.split("```rust\n").skip(1).map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks.into_iter().flatten() {
        assert!(samples.contains(&flat(block)), "{SAMPLES} does not hold what {DOCUMENT} shows:\n{block}");
    }
}

#[test]
fn every_link_of_the_document_leads_somewhere() {
    for Reference { path, .. } in references(&document()) {
        assert!(source::root().join(&path).exists(), "{DOCUMENT} links to {}", path.display());
    }
}
