//! Scripts and their twins agree, as far as text can say.

use super::Scripts;
use super::assemble::{COMMANDS, letters};

/// Each file, its twins, and whether it answers with words of its own.
const FILES: [(&str, &str, &[&str]); 16] = [
    ("prelude", include_str!("prelude.lua"), &[include_str!("mod.rs"), include_str!("claim.rs")]),
    ("main", include_str!("main.lua"), &[include_str!("mod.rs")]),
    ("create", include_str!("create.lua"), &[include_str!("create.rs")]),
    ("send", include_str!("send.lua"), &[include_str!("send.rs")]),
    ("control", include_str!("control.lua"), &[include_str!("control.rs")]),
    ("own", include_str!("own.lua"), &[include_str!("own.rs")]),
    ("claim", include_str!("claim.lua"), &[include_str!("claim.rs"), include_str!("create.rs")]),
    ("session", include_str!("session.lua"), &[include_str!("session.rs")]),
    ("sweep", include_str!("sweep.lua"), &[include_str!("sweep.rs"), include_str!("session.rs")]),
    ("candidates", include_str!("candidates.lua"), &[include_str!("claim.rs")]),
    ("due", include_str!("due.lua"), &[include_str!("look.rs")]),
    ("stuck", include_str!("stuck.lua"), &[include_str!("look.rs")]),
    ("expired", include_str!("expired.lua"), &[include_str!("look.rs")]),
    ("tied", include_str!("tied.lua"), &[include_str!("look.rs")]),
    ("hearts", include_str!("hearts.lua"), &[include_str!("look.rs")]),
    ("overview", include_str!("overview.lua"), &[include_str!("look.rs")]),
];

#[test]
fn every_script_says_what_it_needs_gives_keeps_and_does_when_repeated() {
    for (name, lua, _) in FILES {
        let lines: Vec<&str> = lua.lines().take_while(|line| line.starts_with("--")).collect();
        for part in ["KEYS", "ARGV", "RETURNS", "INVARIANT", "REPEAT"] {
            let said = lines.iter().filter(|line| line.starts_with(&format!("-- {part} "))).count();
            assert_eq!(said, 1, "{name}.lua says {part} once");
        }
    }
}

/// The words that a script answers begin its replies: `{ 'WORD'`, or stand in a `return`.
fn words(lua: &str) -> Vec<&str> {
    let quoted = lua.split('\'').skip(1).step_by(2);
    quoted.filter(|text| text.len() > 2 && text.chars().all(|c| c.is_ascii_uppercase())).collect()
}

#[test]
fn every_word_that_a_command_answers_is_known_to_its_twin() {
    let sent_to_the_server = [
        "TIME",
        "ZADD",
        "ZREM",
        "HMGET",
        "HGET",
        "HSET",
        "HDEL",
        "HGETALL",
        "ZRANGE",
        "UNLINK",
        "ZSCORE",
        "LIMIT",
        "SISMEMBER",
        "SADD",
        "ZRANGEBYLEX",
        "ZRANGEBYSCORE",
        "WITHSCORES",
        "HEXISTS",
        "EXISTS",
        "PUBSUB",
        "ZCARD",
        "ZLEXCOUNT",
        "NUMSUB",
        "PUBLISH",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
        "READONLY",
    ];
    for (name, lua, twins) in FILES {
        for word in words(lua).into_iter().filter(|word| !sent_to_the_server.contains(word)) {
            let known = twins.iter().any(|twin| twin.contains(&format!("\"{word}\"")));
            // What is left is the other half of a yes or no.
            assert!(known || word == "NONE", "{name}.lua answers {word}, which its twin does not read");
        }
    }
}

#[test]
fn every_command_has_one_letter_and_one_file() {
    let mut all: Vec<&str> = COMMANDS.iter().flat_map(|lua| letters(lua)).collect();
    all.sort_unstable();
    assert_eq!(all.concat(), "ACEKNOQSTUVX");
}

#[test]
fn no_two_scripts_are_the_same() {
    let all = Scripts::new();
    let looks = [&all.candidates, &all.due, &all.stuck, &all.expired, &all.tied, &all.hearts, &all.overview];
    let hashes: Vec<_> = looks.into_iter().chain([&all.transitions]).collect();
    let unique: std::collections::BTreeSet<&str> = hashes.iter().map(|script| script.hash.as_str()).collect();
    assert_eq!(unique.len(), hashes.len());
}
