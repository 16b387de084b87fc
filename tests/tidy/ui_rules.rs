//! What the compiler says to users is kept beside the program that makes it say so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::source;

#[test]
fn every_failing_program_has_its_message_and_every_message_its_program() {
    let programs = stems("ui-tests/fail", "rs");
    let messages = stems("ui-tests/fail", "stderr");
    assert_eq!(programs, messages);
}

#[test]
fn no_message_shows_a_path_of_one_machine() {
    for path in files("ui-tests/fail", "stderr") {
        let text = fs::read_to_string(&path).expect("a message is text");
        let shown = ["/home/", "/Users/", "/root/", "/tmp/"].iter().find(|part| text.contains(**part));
        assert_eq!(shown, None, "{}", path.display());
    }
}

fn stems(folder: &str, extension: &str) -> BTreeSet<PathBuf> {
    files(folder, extension).into_iter().map(|path| path.with_extension("")).collect()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&source::root().join(folder), extension, &mut found);
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder of the repository can be read").path()) {
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}
