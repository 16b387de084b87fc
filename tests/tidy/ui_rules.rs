//! What the compiler says to users is kept beside the program that makes it say so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::source::{self, Literal, Source};

#[test]
fn every_failing_program_has_its_message_and_every_message_its_program() {
    let programs = stems("ui-tests/fail", "rs");
    let messages = stems("ui-tests/fail", "stderr");
    assert_eq!(programs, messages);
}

/// Where the macros word what they say; the file of each rule holds its text. (What `graph/` words is shown in graphs.)
const WORDS: &str = "workflow-macros/src/";

/// Every rule the macros check has a program that breaks it: each text they can say is in some message.
#[test]
fn every_text_of_the_macros_is_in_a_message() {
    let said: Vec<String> = files("ui-tests/fail", "stderr")
        .iter()
        .map(|path| one_line(&fs::read_to_string(path).expect("a message is text")))
        .collect();
    let silent: Vec<String> = source::libraries()
        .iter()
        .filter(|source| {
            source.path.starts_with(WORDS) && !source.path.contains("/tests/") && !source.path.contains("/graph/")
        })
        .flat_map(Source::literals)
        .filter(is_said_to_users)
        .filter(|literal| !said.iter().any(|message| message.contains(&longest_fixed_part(&literal.text))))
        .map(|literal| format!("{}: {}", literal.place, literal.text))
        .collect();
    assert!(silent.is_empty(), "no program in ui-tests/fail makes the macros say:\n{}", silent.join("\n"));
}

/// A sentence, and not one of an invariant or of generated code.
fn is_said_to_users(literal: &Literal) -> bool {
    let internal =
        ["expect(", "panic!(", "assert", "unreachable!(", "reason ="].iter().any(|word| literal.before.contains(word));
    !internal && longest_fixed_part(&literal.text).split(' ').count() >= 4
}

/// The longest run of words without a placeholder or a line's end.
fn longest_fixed_part(text: &str) -> String {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}").replace("\\\n", "").replace("\\n", "{}");
    let mut parts = Vec::new();
    for part in text.split('{') {
        parts.push(part.split_once('}').map_or(part, |(_, rest)| rest).to_owned());
    }
    let longest = parts.into_iter().max_by_key(String::len).unwrap_or_default();
    one_line(&longest.replace('\u{1}', "{").replace('\u{2}', "}").replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// White space is where the compiler breaks its lines.
fn one_line(text: &str) -> String {
    text.replace('|', " ").split_whitespace().collect::<Vec<_>>().join(" ")
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
