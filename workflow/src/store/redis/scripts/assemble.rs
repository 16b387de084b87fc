//! Puts `transitions` together: names that stand for constants become literals, and the files of commands functions.
//!
//! Every call of a script makes its functions and variables anew, which takes longer than a command. So what has no
//! short way is in a function that is carried out when the first command comes that needs it, in that each file of
//! commands is one that is carried out when the first command of its kind comes, and what Lua needs of Rust's constants
//! is written where it is used. Owns the constants. Called once for each store.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{create, own};
use crate::journal::command::{PauseReason, Wait};
use crate::journal::head_codec;
use crate::journal::path::Path;
use crate::journal::table;
use crate::store::redis::pack::Packer;
use crate::store::redis::stored::{COMMON_QUEUE, STATES, pack_reason};
use crate::words::limits;

/// The files that carry out commands, in the order in which they are joined.
pub(super) const COMMANDS: [&str; 8] = [
    include_str!("create.lua"),
    include_str!("send.lua"),
    include_str!("control.lua"),
    include_str!("own.lua"),
    include_str!("claim.lua"),
    include_str!("limit.lua"),
    include_str!("session.lua"),
    include_str!("sweep.lua"),
];

/// What scripts call the keys of a partition, in the order of `keys.rs`.
const KEYS: &[&str] = &[
    "READY_KEY",
    "HELD_KEY",
    "SESSIONS",
    "COMPLETE_KEY",
    "ERRORED_KEY",
    "TERMINATED_KEY",
    "ALL",
    "IDS",
    "CALLS",
    "TIMERS",
    "PAUSED_KEY",
    "INBOX_KEY",
    "NOTES",
    "LOST",
    "SHELF",
    "OUT",
    "OLD",
    "BEATS",
    "DEAD",
    "CLAIMS",
    "LATER",
    "LIMITS",
];

/// The text of `transitions`, for a namespace that keeps an index of ids or does not.
pub(super) fn transitions(keeps_ids: bool) -> String {
    with_literals(&joined(), &literals(keeps_ids))
}

/// All files as one, names and comments still in it.
fn joined() -> String {
    let long = [include_str!("prelude.lua"), &COMMANDS.map(on_demand).concat()].concat();
    let long = format!("local function long_ways()\n{long}return commands, define, told\nend\n");
    [include_str!("base.lua"), include_str!("short.lua"), &long, include_str!("main.lua")].concat()
}

/// A file of commands as a function of `define`, under the letter of each of its commands.
fn on_demand(file: &str) -> String {
    let mut lua = format!("do\nlocal made = function()\n{file}end\n");
    for letter in letters(file) {
        writeln!(lua, "define.{letter} = made").expect("text can be written");
    }
    lua.push_str("end\n");
    lua
}

/// The letters of a file's commands.
pub(super) fn letters(file: &str) -> impl Iterator<Item = &str> {
    file.split("commands.").skip(1).map(|rest| &rest[..1])
}

/// What each name stands for.
fn literals(keeps_ids: bool) -> HashMap<&'static str, String> {
    let small = |value: u64| i64::try_from(value).expect("a bound is small");
    let numbers = [
        ("RECORDS_MAX", i64::from(limits::RECORDS_MAX)),
        ("JOURNAL_BYTES_MAX", small(limits::JOURNAL_BYTES_MAX)),
        ("MAILBOX_MAX", i64::from(limits::MAILBOX_MAX)),
        ("EVENTS_MAX", small(limits::EVENTS_MAX)),
        ("CLAIM_BYTES_MAX", small(limits::CLAIM_BYTES_MAX)),
        ("CRASHES_MAX", i64::from(limits::CRASHES_MAX)),
        ("CHILD_KEPT_MIN_MS", limits::CHILD_KEPT_MIN_MS),
        ("PRIORITY_STEP_MS", table::PRIORITY_STEP_MS),
        ("BEGUN_LEAD_MS", table::BEGUN_LEAD_MS),
        ("RATE_PARTS", table::limit::RATE_PARTS),
        ("KEPT_WHILE_OPEN", table::KEPT_WHILE_OPEN.as_millis()),
        ("CONTROLS_REMEMBERED", i64::try_from(limits::CONTROLS_REMEMBERED).expect("a bound is small")),
        // Places, as the first byte of a head.
        ("READY", 1),
        ("SHELVED", 2),
        ("INBOX", 3),
        ("HELD", 4),
        ("ASLEEP", 5),
        ("PAUSED", 6),
        ("DONE", 7),
        // How a run ended, as in the encoding of a child's end.
        ("COMPLETE", 1),
        ("ERRORED", 2),
        ("TERMINATED", 3),
        // Letters of what has a short way.
        ("SHORT_APPEND", i64::from(own::APPEND)),
        ("SHORT_END", i64::from(own::END)),
        ("SHORT_SUSPEND", i64::from(own::SUSPEND)),
        ("SHORT_CREATE", i64::from(create::SHORT)),
        // Whether an instance may be what crashes workers.
        ("INNOCENT", 0),
        ("SUSPECT", 1),
        ("MARKED", 2),
    ];
    let texts = [
        ("COMMON_QUEUE", COMMON_QUEUE.as_bytes().to_vec()),
        ("NO_SESSION", vec![0; 16]),
        ("OUTGOING_DELIVER", vec![head_codec::FORMAT, 2]),
        ("OUTGOING_CLOSE", vec![head_codec::FORMAT, 3]),
        ("CHILD_TERMINATED", vec![3]),
        ("START_WAIT", start_wait()),
        ("OPERATOR", pack_reason(&PauseReason::Operator)),
        ("QUARANTINED", pack_reason(&PauseReason::Quarantined { crashes: 0 })[..1].to_vec()),
    ];
    let mut literals = HashMap::new();
    literals.extend(numbers.map(|(name, value)| (name, value.to_string())));
    literals.extend(texts.map(|(name, bytes)| (name, quoted(&bytes))));
    literals.extend((1..).zip(KEYS).map(|(number, name)| (*name, format!("KEYS[{number}]"))));
    literals.insert("KEEPS_IDS", keeps_ids.to_string());
    let words = STATES.map(|state| format!("'{}'", state.word())).join(", ");
    literals.insert("STATES", format!("({{ {words} }})"));
    let numbered: Vec<_> = (1..).zip(STATES).map(|(number, state)| format!("{} = {number}", state.word())).collect();
    literals.insert("STATE_NUMBERS", format!("({{ {} }})", numbered.join(", ")));
    literals
}

/// What an instance with a start time waits for, up to the time.
fn start_wait() -> Vec<u8> {
    let wait = Wait { path: Path::root(), channel: None, due: None, shifts: false };
    let mut start = Packer::new();
    start.raw(&1_u16.to_be_bytes()).medium(wait.path.as_str().as_bytes()).medium(b"");
    start.into_bytes()
}

fn quoted(bytes: &[u8]) -> String {
    let mut lua = String::from("'");
    for byte in bytes {
        write!(lua, "\\{byte:03}").expect("text can be written");
    }
    lua + "'"
}

/// The text with each name replaced, except in comments, which are left out, and in texts.
fn with_literals(text: &str, literals: &HashMap<&str, String>) -> String {
    let mut lua = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut rest, mut in_text) = (line, false);
        while let Some(first) = rest.chars().next() {
            if !in_text && rest.starts_with("--") {
                break;
            }
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = if is_of_name(first) {
                rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())
            } else {
                // A backslash and what it stands before belong together.
                first.len_utf8() + usize::from(in_text && first == '\\')
            };
            let (token, after) = rest.split_at(length);
            in_text ^= token == "'";
            match literals.get(token).filter(|_| !in_text) {
                Some(literal) => lua.push_str(literal),
                None => lua.push_str(token),
            }
            rest = after;
        }
        lua.push('\n');
    }
    lua
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_literals_but_not_in_texts_comments_or_longer_names() {
        let literals = HashMap::from([("DONE", "7".to_owned()), ("ALL", "KEYS[10]".to_owned())]);
        let lua = "if d.place == DONE then return { 'DONE', '\\'DONE', ALL, ALL_OF } end -- DONE\nDONE";
        let expected = "if d.place == 7 then return { 'DONE', '\\'DONE', KEYS[10], ALL_OF } end \n7\n";
        assert_eq!(with_literals(lua, &literals), expected);
    }

    #[test]
    fn every_name_in_capitals_is_declared_or_a_literal_and_every_literal_is_used() {
        let source = joined();
        for name in literals(true).keys() {
            assert!(source.contains(name), "{name} is used");
        }
        let lua = transitions(true);
        let names = lua.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '\''));
        for name in names.filter(|name| name.len() > 2 && !name.contains('\'')) {
            let capitals = name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains(char::is_lowercase);
            let declared = name == "KEYS" || name == "ARGV" || lua.contains(&format!("{name} =")) || {
                let lists = lua.lines().filter(|line| line.contains("local ") && line.contains(" = "));
                lists.into_iter().any(|line| line.split(" = ").next().is_some_and(|names| names.contains(name)))
            };
            assert!(!capitals || declared, "{name} is neither declared nor a literal");
        }
    }
}
