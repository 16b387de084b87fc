//! Scripts and their twins agree, as far as text can say.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::assemble::{COMMANDS, letters};
use super::session::Why;
use super::{Call, Found, Said, Scripts, claim, control, create, limit, look, own, send, session, sweep};
use crate::journal::command::{
    Action, Claim, Control, Create, Ending, InstanceSpec, Outgoing, Owner, OwnerWrite, Send, Then, Write,
};
use crate::journal::lease::{Lease, LimitName};
use crate::journal::message::{Channel, NewMessage};
use crate::store::redis::keys::Keys;
use crate::store::redis::link::Request;
use crate::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Each file, its twins, and whether it answers with words of its own.
const FILES: [(&str, &str, &[&str]); 23] = [
    ("base", include_str!("base.lua"), &[include_str!("mod.rs")]),
    ("short", include_str!("short.lua"), &[include_str!("create.rs"), include_str!("own.rs")]),
    ("prelude", include_str!("prelude.lua"), &[include_str!("mod.rs"), include_str!("claim.rs")]),
    ("main", include_str!("main.lua"), &[include_str!("mod.rs")]),
    ("create", include_str!("create.lua"), &[include_str!("create.rs")]),
    ("send", include_str!("send.lua"), &[include_str!("send.rs")]),
    ("control", include_str!("control.lua"), &[include_str!("control.rs")]),
    ("own", include_str!("own.lua"), &[include_str!("own.rs")]),
    ("claim", include_str!("claim.lua"), &[include_str!("claim.rs"), include_str!("create.rs")]),
    ("limit", include_str!("limit.lua"), &[include_str!("limit.rs")]),
    ("session", include_str!("session.lua"), &[include_str!("session.rs")]),
    ("sweep", include_str!("sweep.lua"), &[include_str!("sweep.rs"), include_str!("session.rs")]),
    ("candidates", include_str!("candidates.lua"), &[include_str!("claim.rs")]),
    ("due", include_str!("due.lua"), &[include_str!("look.rs")]),
    ("stuck", include_str!("stuck.lua"), &[include_str!("look.rs")]),
    ("expired", include_str!("expired.lua"), &[include_str!("look.rs")]),
    ("tied", include_str!("tied.lua"), &[include_str!("look.rs")]),
    // Its answer is read where sessions are.
    ("hearts", include_str!("hearts.lua"), &[include_str!("look.rs"), include_str!("../views.rs")]),
    ("overview", include_str!("overview.lua"), &[include_str!("look.rs")]),
    ("sets", include_str!("sets.lua"), &[include_str!("look.rs")]),
    ("look", include_str!("look.lua"), &[include_str!("look.rs"), include_str!("claim.rs")]),
    ("beat", include_str!("beat.lua"), &[include_str!("../heart.rs")]),
    ("rights", include_str!("rights.lua"), &[include_str!("../rights.rs")]),
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
        "HINCRBY",
        "INCR",
        "GET",
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
        "SHARDNUMSUB",
        "PUBLISH",
        "SPUBLISH",
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
    assert_eq!(all.concat(), "ACEGKMNOQSTUVX");
}

#[test]
fn no_two_scripts_are_the_same() {
    let (all, without_ids) = (Scripts::new(true), Scripts::new(false));
    let looks = [&all.candidates, &all.due, &all.stuck, &all.expired, &all.tied, &all.hearts, &all.overview];
    let hashes: Vec<_> = looks.into_iter().chain([&all.transitions, &without_ids.transitions]).collect();
    let unique: std::collections::BTreeSet<&str> = hashes.iter().map(|script| script.hash.as_str()).collect();
    assert_eq!(unique.len(), hashes.len());
}

/// What the head of a script says after a word, to the next one.
fn said_of(file: &str, part: &str) -> String {
    let (_, lua, _) = FILES.iter().find(|(name, ..)| *name == file).expect("a script");
    let lines = lua.lines().take_while(|line| line.starts_with("--")).map(|line| line.trim_start_matches("--"));
    let first = format!(" {part} ");
    let mut said = lines.skip_while(|line| !line.starts_with(&first));
    let begun = said.next().unwrap_or_default().trim_start_matches(&first).trim().to_owned();
    said.take_while(|line| line.starts_with("   ")).fold(begun, |all, line| all + " " + line.trim())
}

fn keys() -> Keys {
    Keys::new(&Namespace::new("n").expect("valid"), 0)
}

fn id() -> InstanceId {
    InstanceId::new("a").expect("valid")
}

const SESSION: SessionId = SessionId(1);

fn a_claim() -> Claim {
    let (queues, known) = (Vec::new().into(), Vec::new().into());
    Claim { session: SESSION, number: 1, limit: 1, queues, known, quotas: Vec::new(), limits: Vec::new() }
}

fn a_lease() -> Lease {
    let name = LimitName::Queue(QueueName::new("q").expect("valid"));
    let per = Some(Duration::from_secs(1));
    Lease { session: SESSION, name, number: 1, limit: 2, per, spent: 0, held: 0, want: 1 }
}

#[test]
fn looks_are_given_the_keys_and_arguments_that_their_heads_name() {
    let (keys, now, ms) = (keys(), b"1".as_slice(), Duration::from_millis(1));
    let looks: [(&str, Request); 7] = [
        ("candidates", claim::look(&keys, &a_claim())),
        ("due", look::due(&keys, now, 1)),
        ("stuck", look::stuck(&keys, now, ms, 1)),
        ("expired", look::expired(&keys, now, 1)),
        ("tied", look::tied(&keys, SESSION, 1)),
        ("hearts", look::hearts(&keys)),
        ("overview", look::overview(&keys)),
    ];
    for (name, (needed, arguments)) in looks {
        let needed: Vec<&str> =
            needed.iter().map(|key| std::str::from_utf8(key).expect("text").trim_start_matches("wf:{n:0}:")).collect();
        assert_eq!(said_of(name, "KEYS"), needed.join(", "), "{name}");
        let numbered = said_of(name, "ARGV").matches('[').count();
        assert_eq!(numbered, arguments.len(), "{name}: {}", said_of(name, "ARGV"));
    }
}

fn spec() -> Arc<InstanceSpec> {
    Arc::new(InstanceSpec {
        workflow: WorkflowName::new("w").expect("valid"),
        version: 1,
        queue: QueueName::new("default").expect("valid"),
        priority: 0,
        input: Payload::from_bytes(*b"input"),
        seed: 1,
        start_at: None,
        keep_complete: Duration::ZERO,
        keep_failed: Duration::ZERO,
        parent: None,
    })
}

fn an_own(then: Then) -> OwnerWrite {
    let (records, consumed, outgoing) = (Vec::new(), Vec::new(), Vec::new());
    let write = Write { records, consumed, seen: 0, outgoing, shifted_ms: 0, then };
    OwnerWrite { request: RequestId(1), owner: Owner { id: id(), session: SESSION, run: 1, v: 1 }, write }
}

fn a_create(message: Option<NewMessage>) -> Create {
    Create { request: RequestId(1), id: id(), spec: spec(), local: None, message }
}

/// A call of every command, with the file that carries it out.
fn calls() -> Vec<(&'static str, Call)> {
    let keys = keys();
    let message =
        NewMessage { channel: Channel::event("x", ""), event_id: "e".into(), payload: Payload::from_bytes(*b"1") };
    let action = Action::Terminate { reason: "no".to_owned() };
    let found = || vec![Found { id: id(), entry: b"Hmember".to_vec() }];
    let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
    let pair = || Value::Array(vec![text("a"), text("Rmember")]);
    let ids = Value::Array(vec![text("a")]);
    let looked = Value::Array(vec![
        text("F"),
        pair(),
        pair(),
        pair(),
        ids,
        Value::Int(0),
        text(""),
        Value::Int(1),
        Value::Array(vec![text("qq")]),
    ]);
    let said = Said::read(looked).expect("a list");
    let candidates = claim::read_candidates(&said).expect("it reads").expect("it lives");
    vec![
        ("create", create::call(&keys, &a_create(None))),
        ("create", create::call(&keys, &a_create(Some(message.clone())))),
        ("send", send::call(&keys, &Send { id: id(), run: None, message })),
        ("control", control::call(&keys, &Control { request: RequestId(1), id: id(), run: None, action })),
        ("own", own::call(&keys, &an_own(Then::Hold))),
        ("own", own::call(&keys, &an_own(Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) })))),
        ("claim", candidates.call(&keys, &a_claim())),
        ("limit", limit::call(&a_lease())),
        ("session", session::open(SESSION, Duration::from_secs(1))),
        ("session", session::fence(SESSION, 1)),
        ("session", session::take(&keys, SESSION, Why::Closes, &found())),
        ("sweep", sweep::wake(&keys, &[id()])),
        ("sweep", sweep::unstick(&keys, Duration::from_secs(1), &found())),
        ("sweep", sweep::expire(&keys, &[id()], &[(id(), 1)])),
        ("sweep", sweep::sent(&keys, &id(), &[1])),
    ]
}

#[test]
fn every_command_is_one_that_the_head_of_its_script_describes() {
    for (file, call) in calls() {
        let letter = char::from(call.packed[0]);
        assert!(said_of(file, "ARGV").contains(&format!("'{letter}'")), "{file}: {letter}");
        let (_, lua, _) = FILES.iter().find(|(name, ..)| *name == file).expect("a script");
        assert!(letters(lua).any(|defined| defined == letter.to_string()), "{file}: {letter}");
    }
}

#[test]
fn what_goes_the_short_way_is_described_and_needs_the_instance_alone() {
    let keys = keys();
    let ending = || Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
    let append = {
        let mut append = an_own(Then::Hold);
        append.write.records.push(Payload::from_bytes(*b"record"));
        append
    };
    let calls =
        [create::short(&keys, &a_create(None)), own::short(&keys, &append), own::short(&keys, &an_own(ending()))];
    for (call, letter) in calls.into_iter().zip(["c", "a", "e"]) {
        let call = call.expect("it has a short way");
        assert_eq!(call.packed[0], letter.as_bytes()[0]);
        assert!(said_of("short", "ARGV").contains(&format!("'{letter}'")), "{letter}");
        assert_eq!(call.keys, [keys.instance(&id())]);
    }
}

#[test]
fn what_needs_more_than_the_instance_has_no_short_way() {
    let keys = keys();
    let message =
        NewMessage { channel: Channel::event("x", ""), event_id: "e".into(), payload: Payload::from_bytes(*b"1") };
    assert!(create::short(&keys, &a_create(Some(message))).is_none());
    let later = InstanceSpec { start_at: Some(Timestamp::from_millis(1)), ..(*spec()).clone() };
    assert!(create::short(&keys, &Create { spec: Arc::new(later), ..a_create(None) }).is_none());
    let ending = Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
    let changes: [fn(&mut Write); 5] = [
        |write| write.seen = 1,
        |write| write.shifted_ms = -1,
        |write| write.consumed = vec![1],
        |write| write.outgoing = vec![Outgoing::Close { child: id(), reason: String::new() }],
        |write| write.then = Then::Release,
    ];
    for change in changes {
        let mut own = an_own(ending.clone());
        change(&mut own.write);
        assert!(own::short(&keys, &own).is_none(), "{:?}", own.write);
    }
    assert!(own::short(&keys, &an_own(Then::Hold)).is_none(), "nothing is appended");
}

/// What the heads call the keys of an instance.
const OF_INSTANCE: [(&str, &str); 4] =
    [("the instance", "i:a"), ("its mailbox", "m:a"), ("the ids of its messages", "e:a"), ("its children", "c:a")];

#[test]
fn commands_about_one_instance_are_given_the_keys_that_their_heads_name() {
    for (file, call) in calls().into_iter().filter(|(file, _)| ["create", "send", "control", "own"].contains(file)) {
        let said = said_of(file, "KEYS");
        let kind = |part: &str| OF_INSTANCE.iter().find(|(words, _)| *words == part).map(|(_, key)| *key);
        let named: Vec<&str> = said.split("; ").map(|part| kind(part).expect("a key of an instance")).collect();
        let given: Vec<&str> = call
            .keys
            .iter()
            .map(|key| std::str::from_utf8(key).expect("text").trim_start_matches("wf:{n:0}:"))
            .collect();
        // A write or create that needs only the first is given only those.
        assert!(named.starts_with(&given), "{file}: {named:?}, {given:?}");
        assert!(["create", "own"].contains(&file) || named.len() == given.len(), "{file}: {named:?}, {given:?}");
    }
}

/// The widths of what is packed, as a head says them: `run 4`, or counted: `id (1 byte count)`, `input (4)`.
fn widths(said: &str) -> impl Iterator<Item = (bool, usize)> {
    said.split(", ").skip(1).map(|item| {
        let words = item.split(" (").next().unwrap_or_default();
        match words.rsplit(' ').next().and_then(|width| width.parse().ok()) {
            Some(width) => (false, width),
            None => {
                let counted = item.split('(').nth(1).and_then(|text| text.get(..1)?.parse().ok());
                (true, counted.unwrap_or_else(|| panic!("{item} has a width")))
            }
        }
    })
}

#[test]
fn commands_are_packed_as_the_heads_of_their_scripts_say() {
    for (file, call) in calls().into_iter().filter(|(file, _)| ["create", "send", "control", "limit"].contains(file)) {
        let mut rest = &call.packed[4..];
        for (counted, width) in widths(&said_of(file, "ARGV")) {
            let length = rest[..width].iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
            rest = &rest[width + if counted { length } else { 0 }..];
        }
        assert!(rest.is_empty(), "{file}: {} bytes are left", rest.len());
    }
}
