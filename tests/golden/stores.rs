//! Whole stores, as earlier versions left them: today's code opens them and goes on with everything in them.
//!
//! What an SQLite file or a Redis server holds is a format too: tables, keys, packed fields, members of indexes. `BLESS=1`
//! leaves a store behind and writes `stores/<layout>`, only where no such file exists.

use std::fs;
use std::path::{Path, PathBuf};

use support::prelude::*;
use support::redis::RedisServer;
use workflow::{Handle, Untyped};

use crate::hex::{hex, unhex};

/// The layouts that this version writes, as their files are called.
const REDIS: &str = "redis-2.keys";
const SQLITE: &str = "sqlite-2.file";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/stores").join(name)
}

/// The files of one kind of store: those of all layouts that were ever released.
fn files(end: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(file("")).expect("the golden stores are there").map(|entry| entry.expect("readable").path());
    let files: Vec<PathBuf> = all.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    assert!(!files.is_empty(), "there is a store that ends in {end}");
    files
}

#[workflow(name = "stored")]
async fn stored(fails: bool, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let first = step!("first", witness.ok("first", 1)).await?;
    let tried =
        group!("tried", retries = 1, delay = 1ms, { Ok(step!("flaky", witness.flaky("flaky", 1, 2)).await?) }).await?;
    if changed("wide").await {
        sleep(1ms).await;
    }
    let child = stored_child(7, witness).await?;
    let go = wait_for::<Go>("go").key("k/1").await;
    if fails {
        step!("fails", witness.fails("fails")).await?;
    }
    let last = step!("last", key = go.number, witness.ok("last", 3)).await?;
    Ok(first + tried + child + go.number + last)
}

#[workflow(name = "stored.child")]
async fn stored_child(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let go = wait_for::<Go>("go").await;
    Ok(step!("child", witness.ok("child", number * go.number)).await?)
}

/// How long the ends of the golden stores are kept: as long as anything is.
const KEPT: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

fn builder(url: &str, witness: &Witness) -> EngineBuilder {
    Engine::builder().store(url).namespace("golden").retention(KEPT, KEPT).resource(witness.clone())
}

async fn child_of(engine: &Engine, id: &str) -> Result<Handle<Untyped>, EngineError> {
    let child = wait::until("the child is there", async || {
        let all = engine.list().of::<stored_child>().await.ok()?.instances;
        all.into_iter().find(|child| child.id.starts_with(&format!("{id}~")) && child.state == State::Waiting)
    });
    engine.instance(child.await.id).await
}

/// Takes an instance past its child, to its last wait.
async fn to_the_last_wait(engine: &Engine, id: &str) -> Result<(), EngineError> {
    child_of(engine, id).await?.send(Go { number: 2 }).await?;
    let instance = engine.instance(id).await?;
    wait::until("it waits for its event", async || {
        let status = instance.status().await.ok()?;
        status.waits.iter().any(|wait| format!("{wait:?}").contains("k/1")).then_some(())
    })
    .await;
    Ok(())
}

/// Leaves one instance behind in every place there is.
async fn leave(url: &str) -> TestResult {
    let witness = Witness::default();
    let engine = builder(url, &witness).only::<(stored, stored_child)>().start().await?;
    for (id, fails) in [
        ("waits", false),
        ("waits-for-child", false),
        ("paused", false),
        ("complete", false),
        ("errored", true),
        ("terminated", false),
        ("restarted", false),
        ("forked", false),
    ] {
        stored::create(&engine, fails).id(id).priority(1).await?;
        if id != "waits-for-child" {
            to_the_last_wait(&engine, id).await?;
        }
    }
    let get = async |id: &str| stored::get(&engine, id).await;
    for id in ["complete", "errored"] {
        get(id).await?.send(Go { number: 5 }).key("k/1").id("go").await?;
        drop(get(id).await?.result().await);
    }
    get("terminated").await?.terminate("by an operator").await?;
    get("paused").await?.pause().await?;
    get("waits").await?.send_type("unread", vec!["a", "b"]).key("k").id("unread").await?;
    get("restarted").await?.restart().await?;
    child_of(&engine, "restarted").await?;
    stored::create(&engine, false).id("later").start_at(std::time::SystemTime::now() + KEPT / 2).await?;
    engine.shutdown(wait::PATIENCE).await;
    // Nobody takes these up.
    let client = builder(url, &witness).mode(Mode::Client).start().await?;
    stored::create(&client, false).id("queued").queue("mail").priority(3).await?;
    stored::get(&client, "forked").await?.restart_from("flaky").await?;
    Ok(())
}

/// Everything that was left behind is as it was, and goes on.
async fn goes_on(url: &str) -> TestResult {
    let witness = Witness::default();
    let client = builder(url, &witness).mode(Mode::Client).start().await?;
    let states = [
        ("waits", State::Waiting),
        ("waits-for-child", State::Waiting),
        ("paused", State::Paused),
        ("complete", State::Complete),
        ("errored", State::Errored),
        ("terminated", State::Terminated),
        ("restarted", State::Waiting),
        ("forked", State::Queued),
        ("later", State::Queued),
        ("queued", State::Queued),
    ];
    for (id, state) in states {
        let instance = stored::get(&client, id).await?;
        assert_eq!(instance.status().await?.state, state, "{id}");
        instance.history().await?;
        let listed = client.list().of::<stored>().state(state).await?;
        assert!(listed.damaged.is_empty() && listed.instances.iter().any(|one| one.id == id), "{id}");
    }
    assert_eq!(stored::get(&client, "complete").await?.result().await?, 1 + 2 + 14 + 5 + 3);
    assert!(stored::get(&client, "errored").await?.result().await.is_err());
    let ended = stored::get(&client, "terminated").await?.result().await.expect_err("it was terminated");
    assert!(ended.to_string().contains("by an operator"), "{ended}");
    assert_eq!(stored::get(&client, "restarted").await?.history_of(1).await?.run, 1);

    let engine = builder(url, &witness).queues(["default", "mail"]).only::<(stored, stored_child)>().start().await?;
    stored::get(&engine, "paused").await?.resume().await?;
    for id in ["waits-for-child", "restarted", "queued", "forked"] {
        to_the_last_wait(&engine, id).await?;
    }
    let waiting = ["waits", "waits-for-child", "paused", "restarted", "forked", "queued"];
    for id in waiting {
        let instance = stored::get(&engine, id).await?;
        instance.send(Go { number: 5 }).key("k/1").await?;
        assert_eq!(instance.result_within(wait::PATIENCE).await?, 1 + 2 + 14 + 5 + 3, "{id}");
    }
    // What was done before is not done again: only what was restarted, forked or queued.
    assert_eq!((witness.count("first"), witness.count("last")), (1, waiting.len()));
    stored::get(&engine, "complete").await?.restart().await?;
    to_the_last_wait(&engine, "complete").await?;
    assert!(engine.health().is_good(), "{:?}", engine.health());
    engine.shutdown(wait::PATIENCE).await;
    Ok(())
}

fn run(test: impl Future<Output = TestResult>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    if let Err(error) = runtime.expect("a test can have a runtime").block_on(test) {
        panic!("{error}");
    }
}

fn is_to_be_made(path: &Path) -> bool {
    std::env::var_os("BLESS").is_some() && !path.exists()
}

#[test]
fn everything_in_a_golden_server_goes_on() {
    let blessed = file(REDIS);
    if is_to_be_made(&blessed) {
        let server = RedisServer::start();
        run(leave(&format!("{}?ids=1", server.url())));
        fs::write(&blessed, keys(&server)).expect("the folder is writable");
    }
    for path in files(".keys") {
        let server = RedisServer::start();
        load(&server, &fs::read_to_string(path).expect("it is text"));
        run(goes_on(&format!("{}?ids=1", server.url())));
    }
}

#[test]
fn everything_in_a_golden_file_goes_on() {
    let (blessed, folder) = (file(SQLITE), tempfile::tempdir().expect("a folder"));
    if is_to_be_made(&blessed) {
        let path = folder.path().join("made.db");
        run(leave(&format!("sqlite:{}", path.display())));
        assert!(!folder.path().join("made.db-wal").exists(), "whoever closes the file last leaves nothing beside it");
        fs::copy(path, &blessed).expect("the folder is writable");
    }
    for (index, path) in files(".file").iter().enumerate() {
        let copy = folder.path().join(format!("{index}.db"));
        fs::copy(path, &copy).expect("it can be copied");
        run(goes_on(&format!("sqlite:{}", copy.display())));
    }
}

/// Every key of a server as a line: its name, its kind, and what it holds, in hexadecimal.
fn keys(server: &RedisServer) -> String {
    let mut names: Vec<Vec<u8>> = ask(server, &[b"KEYS", b"*"]);
    names.sort();
    let mut lines = String::new();
    for name in names {
        let kind: String = ask(server, &[b"TYPE", &name]);
        let held: Vec<Vec<u8>> = match kind.as_str() {
            "hash" => ask(server, &[b"HGETALL", &name]),
            "set" => ask(server, &[b"SMEMBERS", &name]),
            "zset" => ask(server, &[b"ZRANGE", &name, b"0", b"-1", b"WITHSCORES"]),
            other => panic!("nothing here is a {other}"),
        };
        let held: Vec<String> = held.iter().map(|held| hex(held)).collect();
        lines += &format!("{}\t{kind}\t{}\n", hex(&name), held.join("\t"));
    }
    lines
}

fn load(server: &RedisServer, lines: &str) {
    for line in lines.lines() {
        let mut parts = line.split('\t');
        let (name, kind) = (unhex(parts.next().expect("a name")), parts.next().expect("a kind"));
        let mut held: Vec<Vec<u8>> = parts.map(unhex).collect();
        let command: &[u8] = match kind {
            "hash" => b"HSET",
            "set" => b"SADD",
            _ => {
                // A member stands before its score here, and behind it there.
                held.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                b"ZADD"
            }
        };
        let words: Vec<&[u8]> = [command, &name].into_iter().chain(held.iter().map(Vec::as_slice)).collect();
        let added: u64 = ask(server, &words);
        assert!(added > 0, "{line}");
    }
}

fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&[u8]]) -> T {
    let mut connection = server.connect().expect("the server answers");
    let mut command = redis::cmd(std::str::from_utf8(words[0]).expect("a command is a word"));
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(&mut connection).expect("the server answers")
}

/// What an older version says of a newer layout: it refuses the whole store, says why, and changes nothing.
#[test]
fn a_server_of_a_newer_layout_is_refused() {
    let server = RedisServer::start();
    load(&server, &fs::read_to_string(file(REDIS)).expect("it is text"));
    let _: u64 = ask(&server, &[b"HSET", b"wf:{golden}:meta", b"schema", b"3"]);
    let before = keys(&server);
    run(async {
        for mode in [Mode::Client, Mode::All] {
            let started = builder(&server.url(), &Witness::default()).mode(mode).only::<stored>().start().await;
            let error = started.expect_err("it is newer");
            assert!(error.to_string().contains("another version of this library"), "{error}");
        }
        Ok(())
    });
    assert_eq!(keys(&server), before);
}

/// The four bytes of an SQLite file that are for whoever made it: the version of the layout.
const LAYOUT_AT: usize = 60;

#[test]
fn a_file_of_a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("newer.db");
    let mut bytes = fs::read(file(SQLITE)).expect("it is there");
    let layout = u32::from_be_bytes(bytes[LAYOUT_AT..LAYOUT_AT + 4].try_into().expect("four bytes"));
    bytes[LAYOUT_AT..LAYOUT_AT + 4].copy_from_slice(&(layout + 1).to_be_bytes());
    fs::write(&path, &bytes).expect("the folder is writable");
    run(async {
        for mode in [Mode::Client, Mode::All] {
            let url = format!("sqlite:{}", path.display());
            let started = builder(&url, &Witness::default()).mode(mode).only::<stored>().start().await;
            let error = started.expect_err("it is newer");
            assert!(error.to_string().contains("version"), "{error}");
        }
        Ok(())
    });
    assert!(fs::read(&path).expect("it is there")[..] == bytes[..], "the file is as it was");
}
