//! Texts that somebody sends who means harm, or who knows no better: each that is taken comes back as it was, each other is
//! refused at the call, with a typed error, and leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use support::prelude::*;
use workflow::words::limits::{INSTANCE_ID_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX};
use workflow::{Handle, PageToken};

on_every_store!(every_id_and_name_is_kept_or_refused, every_key_type_and_event_id_is_kept_or_refused);
mod shared {
    use super::*;
    on_every_shared_store!(every_namespace_is_kept_apart_or_refused);
}

/// How many namespaces are made in one store.
const NAMESPACES: usize = 24;

/// Texts that mean something to somebody: to a shell, a server, a database, a reader of paths, urls or numbers, an eye.
const TEXTS: [&str; 97] = [
    "",
    " ",
    "  ",
    "}x",
    "{x}",
    "{",
    "}",
    "{}",
    "{a}{b}",
    "a}{b",
    "x}:ready",
    "i:a",
    "m:a",
    "wf:{default:0}:ready",
    "default:0",
    "*",
    "?",
    "[a-z]",
    "a*b",
    "h?llo",
    "[^e]",
    "\\*",
    "..",
    "../../etc/passwd",
    "/",
    "//",
    "a/b",
    "./a",
    "~",
    "~root",
    ".",
    "C:\\x",
    "\\\\host\\share",
    "file:///etc/passwd",
    "a%00b",
    "%2e%2e",
    "a+b",
    "a b",
    "-",
    "--",
    "-rf",
    "--help",
    "@",
    "@all",
    "0",
    "00",
    "-0",
    "1",
    "18446744073709551616",
    "1e9",
    "0x1f",
    "NaN",
    "nil",
    "null",
    "NULL",
    "true",
    "undefined",
    "None",
    "' OR '1'='1",
    "'; DROP TABLE workflow_namespaces; --",
    "\"",
    "`",
    "$(reboot)",
    "${HOME}",
    "#!/bin/sh",
    "<script>alert(1)</script>",
    "redis.call('FLUSHALL')",
    "]] .. redis.call('FLUSHALL') --",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "$-1",
    "+OK",
    "a\r\nb",
    "a\0b",
    "\0",
    "\u{feff}a",
    "\u{202e}gnp.exe",
    "\u{200b}",
    "a\u{200d}b",
    "раураl",
    "аdmin",
    "ｆｕｌｌ",
    "ﬁ",
    "İ",
    "ß",
    "é",
    "e\u{301}",
    "😀",
    "👩‍👩‍👧",
    "\u{10ffff}",
    "𝒶",
    "١٢",
    "__proto__",
    "constructor",
    "con",
    "aux.txt",
    "a.",
    "sentinel",
];

/// The texts, every mark and every control character in the middle of a word, and words of lengths around the limits.
fn corpus() -> Vec<String> {
    let mut all: Vec<String> = TEXTS.map(str::to_owned).into();
    let marks = (0..=0x7F_u8).map(char::from).filter(|c| !c.is_ascii_alphanumeric());
    all.extend(marks.clone().map(|c| format!("a{c}b")));
    all.extend(marks.map(|c| format!("{c}z")));
    for limit in [NAME_BYTES_MAX, INSTANCE_ID_BYTES_MAX, KEY_BYTES_MAX] {
        all.extend((limit - 1..=limit + 1).map(|length| "x".repeat(length)));
        // As many bytes in fewer characters.
        all.extend([limit / 2, limit / 2 + 1].map(|length| "ä".repeat(length)));
    }
    all.extend(["x".repeat(100_000), "{".repeat(1_000), "a:".repeat(90)]);
    let mut seen = BTreeSet::new();
    all.retain(|text| seen.insert(text.clone()));
    assert!(all.len() >= 200, "{} texts", all.len());
    all
}

fn is_plain(text: &str, max: usize) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._~:@+-".contains(c);
    !text.is_empty() && text.len() <= max && text.chars().all(plain)
}

/// It worked if it should; else it is refused as an id, in few words.
#[track_caller]
fn kept<T: std::fmt::Debug>(outcome: Result<T, EngineError>, valid: bool, text: &str) -> Option<T> {
    match outcome {
        Ok(done) => {
            assert!(valid, "{text:?} was taken: {done:?}");
            Some(done)
        }
        Err(error) => {
            assert!(!valid, "{text:?} was refused: {error}");
            assert_eq!(error.code(), "invalid_id", "{text:?}: {error}");
            assert!(error.to_string().len() < 300, "{error}");
            None
        }
    }
}

#[workflow]
async fn plain() {}

async fn every_id_and_name_is_kept_or_refused(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let texts = corpus();
    let mut ids = BTreeSet::new();
    // All in one batch: what is refused takes no neighbour with it.
    for (batch, texts) in texts.chunks(150).enumerate() {
        let outcomes = plain::create_batch(&client, texts.iter().map(|text| plain::new().id(text))).await?;
        for (outcome, text) in outcomes.into_iter().zip(texts) {
            if let Some(handle) = kept(outcome, is_plain(text, INSTANCE_ID_BYTES_MAX), text) {
                assert_eq!(handle.id(), text, "in batch {batch}");
                ids.insert(text.clone());
            }
        }
    }
    for text in &texts {
        let (id, name) = (is_plain(text, INSTANCE_ID_BYTES_MAX), is_plain(text, NAME_BYTES_MAX));
        if id {
            let error = plain::create(&client).id(text).await.expect_err("it is there");
            assert_eq!(error.code(), "already_exists", "{text:?}: {error}");
            plain::get(&client, text).send_type("t", 1).await?;
        } else {
            kept(plain::create(&client).id(text).await, false, text);
            kept(plain::get(&client, text).send_type("t", 1).await, false, text);
            let absent = plain::get(&client, text).send(Go { number: 1 }).create_if_absent(plain::new());
            kept(absent.await, false, text);
        }
        let found = kept(plain::get(&client, text).await, id, text);
        assert!(found.is_none_or(|handle| handle.id() == text));
        kept(client.instance(text).await, id, text);
        kept(client.list().workflow(text).await, name, text);
        let queued = format!("queued-{}", ids.len());
        if kept(plain::create(&client).id(&queued).queue(text).await, name, text).is_some() {
            ids.insert(queued);
        }
        let page = kept(format!("-5.{text}").parse::<PageToken>(), id, text);
        assert!(page.is_none_or(|page| page.to_string() == format!("-5.{text}")));
        match client.list().id_prefix(text).limit(1_000).await {
            Err(EngineError::NoIdIndex { .. }) => {}
            listed => {
                let listed = kept(listed, id, text).map(|listed| listed.instances);
                let all = |id: &String| id.starts_with(text.as_str());
                let found: Option<Vec<String>> = listed.map(|page| page.into_iter().map(|one| one.id).collect());
                assert!(found.is_none_or(|found| found.iter().eq(ids.iter().filter(|id| all(id)))), "{text:?}");
            }
        }
    }
    assert_eq!(listed(&client).await?, ids, "there is what was taken, and nothing else");
    Ok(())
}

/// The ids of all instances, page by page.
async fn listed(client: &Engine) -> Result<BTreeSet<String>, EngineError> {
    let (mut ids, mut next) = (BTreeSet::new(), None);
    loop {
        let list = client.list().limit(50);
        let page = match next {
            Some(next) => list.after(next).await?,
            None => list.await?,
        };
        ids.extend(page.instances.into_iter().map(|one| one.id));
        next = page.next;
        if next.is_none() {
            return Ok(ids);
        }
    }
}

/// Hears each text as a key, and as a type of event.
#[workflow]
async fn echo(texts: Vec<String>, #[resource] witness: &Witness) -> workflow::Result<Vec<(u64, u64)>> {
    let mut heard = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        step!("keep", key = text, witness.ok(text, ())).await?;
        let by_key = wait_for_type::<u64>("by key", "number").key(text).await;
        let by_type = wait_for_type::<u64>("by type", text.clone()).key(number).await;
        heard.push((by_key, by_type));
    }
    Ok(heard)
}

async fn every_key_type_and_event_id_is_kept_or_refused(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let fits = |text: &str| !text.is_empty() && text.len() < KEY_BYTES_MAX;
    let (good, bad): (Vec<String>, Vec<String>) = corpus().into_iter().partition(|text| fits(text));
    let echo = echo::create(&client, good.clone()).id("echo").await?;
    let mut sends = Vec::new();
    for (number, text) in (0_u64..).zip(&good) {
        sends.push(echo.send_type("number", number).key(text).id(text).into_future());
        sends.push(echo.send_type(text, number + 1_000).key(number).id(format!("{text}!")).into_future());
        // The same id once more is the same event.
        sends.push(echo.send_type("number", number + 2_000).key(text).id(text).into_future());
    }
    for send in sends {
        send.await?;
    }
    refused_as_keys(&echo, &bad).await?;
    let engine = stage.builder().only::<self::echo>().start().await?;
    let heard = echo.result().await?;
    let sent: Vec<(u64, u64)> = (0..).take(good.len()).map(|number| (number, number + 1_000)).collect();
    assert_eq!(heard, sent);
    let mut ran = BTreeMap::new();
    stage.witness.notes().into_iter().for_each(|note| *ran.entry(note).or_insert(0) += 1);
    assert!(good.iter().all(|text| ran.get(text) == Some(&1)) && ran.len() == good.len(), "each key is one step");
    let history = echo.history().await?;
    let kept = |name: &str| -> Vec<String> {
        history.operations.iter().filter(|one| one.name == name).filter_map(|one| one.key.clone()).collect()
    };
    assert_eq!(kept("keep"), good);
    assert_eq!(kept("by key"), good);
    // Each is an operation that one can go back to.
    let last = good.last().expect("there are some");
    echo.restart_from("keep").key(last).await?;
    echo.send_type("number", 7).key(last).await?;
    echo.send_type(last, 8).key(good.len() - 1).await?;
    assert_eq!(echo.result().await?.last(), Some(&(7, 8)));
    stage.stop(engine).await;
    Ok(())
}

async fn refused_as_keys(echo: &Handle<echo>, bad: &[String]) -> TestResult {
    for text in bad {
        let too_long = text.len() > KEY_BYTES_MAX;
        for (send, may_be_empty) in [
            (echo.send_type(text, 1).key("k"), false),
            (echo.send_type("t", 1).key(text), true),
            (echo.send_type("t", 1).id(text), false),
        ] {
            match send.await {
                Ok(()) => assert!(!too_long && (may_be_empty || !text.is_empty()), "{text:?} was taken"),
                Err(error) => {
                    let code = if too_long { "too_long" } else { "option" };
                    assert_eq!(error.code(), code, "{text:?}: {error}");
                    assert!(error.to_string().len() < 300, "{error}");
                }
            }
        }
        for restart in [echo.restart_from(text), echo.restart_from("keep").key(text)] {
            let error = restart.await.expect_err("there is no such operation");
            assert!(matches!(error.code(), "no_such_step" | "too_long"), "{error}");
            assert!(error.to_string().len() < 1_000, "{} bytes", error.to_string().len());
        }
    }
    Ok(())
}

async fn every_namespace_is_kept_apart_or_refused(stage: Stage) -> TestResult {
    let texts = corpus();
    let mut engines = Vec::new();
    for text in &texts {
        let valid = is_plain(text, NAME_BYTES_MAX);
        // Each makes tables and keys of its own.
        if valid && engines.len() == NAMESPACES {
            continue;
        }
        let start = stage.builder_in(text).await.mode(Mode::Client).start().await;
        if let Some(engine) = kept(start, valid, text) {
            plain::create(&engine).id("same").await?;
            plain::create(&engine).id(text).await?;
            engines.push((text, engine));
        }
    }
    assert_eq!(engines.len(), NAMESPACES);
    for (text, engine) in &engines {
        let own: BTreeSet<String> = ["same".to_owned(), (*text).clone()].into();
        assert_eq!(listed(engine).await?, own, "{text:?} sees its own, and nothing else");
    }
    Ok(())
}
