//! Each limit of what a run may ask for: at it nothing happens, beyond it the run ends with a typed error.

use super::*;
use crate::words::limits::{
    BRANCHES_MAX, DEPTH_MAX, DURATION_MS_MAX, JOURNAL_BYTES_MAX, KEY_BYTES_MAX, PATH_BYTES_MAX, RECORDS_MAX,
    RETRIES_MAX, STEP_NAME_BYTES_MAX,
};

/// What the run ended with because of a limit, if it did.
fn exceeded(script: &mut Script) -> Option<String> {
    let write = script.write();
    match write.then {
        Then::Finish(Ending { result: Err(failure) }) => {
            assert!(write.records.is_empty(), "what is beyond a limit does not begin");
            assert_eq!((failure.class.as_str(), failure.fatal), (LIMIT_EXCEEDED, true));
            Some(failure.message)
        }
        _ => None,
    }
}

fn after(ask: impl FnOnce(&mut Script)) -> Option<String> {
    let mut script = Script::begin();
    // Something to wait for, whatever else is asked.
    script.wait("other", "other", None);
    ask(&mut script);
    exceeded(&mut script)
}

/// Nothing at the limit; beyond it a message with these words.
fn bound(words: &str, at: impl FnOnce(&mut Script), beyond: impl FnOnce(&mut Script)) {
    assert_eq!(after(at), None, "{words}");
    let message = after(beyond).expect(words);
    assert!(message.contains(words), "{message}");
}

fn keyed(script: &mut Script, kind: Kind, bytes: usize) {
    let key = "k".repeat(bytes);
    let name = OpName { kind, name: "s", key: Some(&key), at: Location::new("test.rs", 1, 1) };
    let channel = Channel::event("t", "");
    script.machine.ask(Machine::ROOT, name, Ask::Wait { channel, timeout: None, readable: |_| Ok(()) });
}

#[test]
fn keys_of_operations_and_parts() {
    let words = format!("the limit is {KEY_BYTES_MAX}");
    bound(
        &words,
        |script| keyed(script, Kind::Wait, KEY_BYTES_MAX),
        |script| keyed(script, Kind::Wait, KEY_BYTES_MAX + 1),
    );
    let part = |script: &mut Script, bytes: usize| {
        script.machine.open_part(Machine::ROOT, "p", Some(&"k".repeat(bytes)));
    };
    bound(&words, |script| part(script, KEY_BYTES_MAX), |script| part(script, KEY_BYTES_MAX + 1));
}

#[test]
fn types_of_events() {
    let wait = |script: &mut Script, bytes: usize| {
        script.wait("w", &"t".repeat(bytes), None);
    };
    bound(
        "the type of event",
        |script| wait(script, STEP_NAME_BYTES_MAX),
        |script| wait(script, STEP_NAME_BYTES_MAX + 1),
    );
}

#[test]
fn sleeps_and_timeouts() {
    let ms = DURATION_MS_MAX.unsigned_abs();
    let (longest, longer) = (Duration::from_millis(ms), Duration::from_millis(ms + 1));
    let sleep = |script: &mut Script, duration| {
        script.ask(Kind::Sleep, "", Ask::SleepFor(duration));
    };
    let wait = |script: &mut Script, timeout| {
        script.wait("w", "t", Some(timeout));
    };
    let words = "longer than ten years";
    bound(words, |script| sleep(script, longest), |script| sleep(script, longer));
    bound(words, |script| wait(script, longest), |script| wait(script, longer));
    assert!(after(|script| sleep(script, Duration::MAX)).is_some(), "it is not cut in silence");
    let until = |script: &mut Script, moment| {
        script.ask(Kind::Sleep, "", Ask::SleepUntil(moment));
    };
    assert_eq!(after(|script| until(script, at(2 * DURATION_MS_MAX))), None, "a date is a date");
}

#[test]
fn retries() {
    let words = format!("the limit is {RETRIES_MAX}");
    let step = |script: &mut Script, retries| {
        script.step_with("s", RetryPolicy { retries, ..RetryPolicy::default() }, None);
    };
    let group = |script: &mut Script, retries| {
        script.group("g", retries);
    };
    let message = after(|script| step(script, RETRIES_MAX + 1)).expect("it is not cut in silence");
    assert!(message.contains(&words), "{message}");
    bound(&words, |script| group(script, RETRIES_MAX), |script| group(script, RETRIES_MAX + 1));
}

#[test]
fn depth_and_paths() {
    let nest = |script: &mut Script, depth: usize, key: &str| {
        let mut scope = Machine::ROOT;
        for _ in 0..depth {
            scope = script.machine.open_part(scope, "p", Some(key));
        }
        script.ask_in(scope, Kind::Sleep, "", Ask::SleepFor(SECOND));
    };
    bound("nest deeper", |script| nest(script, DEPTH_MAX, "k"), |script| nest(script, DEPTH_MAX + 1, "k"));
    // Each level takes its key, escaped, and six bytes.
    let key = "/".repeat(KEY_BYTES_MAX);
    let levels = PATH_BYTES_MAX / (3 * KEY_BYTES_MAX + 6);
    bound("the names and keys", |script| nest(script, levels - 1, &key), |script| nest(script, levels + 1, &key));
    let mut script = Script::begin();
    nest(&mut script, 7, "k");
    script.machine.open_part(Machine::ROOT, "q", None);
    assert_eq!(script.machine.depth(), 7);
}

#[test]
fn open_operations() {
    let open = |script: &mut Script, more: usize| {
        for _ in 1..more {
            script.wait("w", "t", None);
        }
        assert_eq!(script.machine.open_operations(), more);
    };
    bound("open at once", |script| open(script, BRANCHES_MAX), |script| open(script, BRANCHES_MAX + 1));
}

#[test]
fn records_and_bytes_of_the_journal() {
    let sleep = |script: &mut Script| {
        script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    };
    let records = |script: &mut Script, records| {
        script.machine.records = records;
        sleep(script);
    };
    bound("its limit of", |script| records(script, RECORDS_MAX - 1), |script| records(script, RECORDS_MAX));
    let bytes = |script: &mut Script, bytes| {
        script.machine.journal_bytes = bytes;
        sleep(script);
    };
    bound("its limit of", |script| bytes(script, JOURNAL_BYTES_MAX - 1_000), |script| bytes(script, JOURNAL_BYTES_MAX));
}
