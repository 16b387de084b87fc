//! A file has one purpose, and so a bounded length.

use super::source;

/// Most lines of one Rust file.
const LINES_MAX: usize = 600;

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = source::all()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines, split by purpose:\n{}", long.join("\n"));
}
