//! What lower layers and library paths never do.

use super::source;

/// Words that would bring async, IO, a clock or chance into the journal.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "std::env",
    "rand",
    "getrandom",
    "new_v4",
];

#[test]
fn the_journal_knows_no_async_io_clock_or_chance() {
    let mut found = Vec::new();
    for source in source::libraries().iter().filter(|s| s.path.starts_with("workflow/src/journal/")) {
        found.extend(IMPURE.iter().flat_map(|word| source.lines_with(word)));
    }
    assert!(found.is_empty(), "the journal is pure:\n{}", found.join("\n"));
}

#[test]
fn library_paths_never_unwrap() {
    let found: Vec<String> = source::libraries()
        .iter()
        .filter(|source| source.library_code.contains(".unwrap()"))
        .flat_map(|source| source.lines_with("unwrap"))
        // The macro library's `Span::unwrap` is a conversion and cannot fail.
        .filter(|line| !line.contains("span.unwrap()"))
        .collect();
    assert!(found.is_empty(), "state the invariant with `expect`, or return an error:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_to_do() {
    let mut found = Vec::new();
    // Programs that show a mistake make it.
    let is_example = |path: &str| path.starts_with("tests/tidy/") || path.starts_with("ui-tests/fail/");
    for source in source::all().iter().filter(|source| !is_example(&source.path)) {
        let mut note = |word: &str| found.push(format!("{}: {word}", source.path));
        ["todo!", "dbg!"].into_iter().filter(|word| source.code.contains(word)).for_each(&mut note);
        // The macros emit `unimplemented!` as the body of code that does not compile.
        let emitted = source.path.starts_with("workflow-macros/");
        ["unimplemented!"].into_iter().filter(|word| !emitted && source.code.contains(word)).for_each(&mut note);
        ["TODO", "FIXME", "XXX"].into_iter().filter(|word| source::has_word(&source.text, word)).for_each(&mut note);
    }
    assert!(found.is_empty(), "finish or remove:\n{}", found.join("\n"));
}

#[test]
fn no_test_is_left_out() {
    let ignored: Vec<String> =
        source::all().iter().filter(|s| s.code.contains("#[ignore")).map(|s| s.path.clone()).collect();
    assert!(ignored.is_empty(), "a test that never runs is not a test: {ignored:?}");
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<String> = source::all()
        .iter()
        .filter(|source| !source.path.starts_with("ui-tests/"))
        .filter(|source| !source.text.trim_start().starts_with("//!"))
        .map(|source| source.path.clone())
        .collect();
    assert!(silent.is_empty(), "begin with a module doc: {silent:?}");
}
