//! What the targets begin with: files in `fuzz/seeds/<target>/`, one an input.
//!
//! `BLESS=1` writes those that are made here, from what this version writes, where they are not there yet. Others, such as
//! inputs that once failed, are put beside them and kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use support::prelude::*;
use support::redis::RedisServer;
use workflow::journal::record::Record;
use workflow::words::id::InstanceId;

use crate::targets::journals::{fuzzed, fuzzed_child};
use crate::targets::{TARGETS, journals, server};
use crate::wire;

/// Most seeds that are made of one target.
const MADE_MAX: usize = 60;

/// The folder of a target.
fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target)
}

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("the seeds of {target}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a seed can be read").path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("a seed can be read")).collect();
    assert!(!seeds.is_empty(), "{target} has seeds");
    seeds
}

#[test]
fn every_target_has_seeds() {
    if std::env::var_os("BLESS").is_some() {
        bless();
    }
    for (target, _) in TARGETS {
        assert!(of(target).iter().all(|seed| seed.len() < 16 * 1_024), "a seed of {target} is large");
    }
}

fn bless() {
    let mut made: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for (target, texts) in TEXTS {
        made.insert(target, texts.iter().map(|text| text.as_bytes().to_vec()).collect());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let run = runtime.block_on(a_run()).expect("the seeds can be made");
    made.insert("records", run.records.clone());
    made.insert("journals", vec![journals::join(&run.records), journals::join(&run.records[..run.records.len() / 2])]);
    let heads = run.blobs.iter().map(|blob| [&[0], blob.as_slice()].concat());
    made.insert("blobs", heads.chain([[&[1], run.spec.as_slice()].concat()]).collect());
    made.insert("answers", run.answers);
    made.insert("fields", run.fields);
    for (target, inputs) in made {
        let folder = folder(target);
        fs::create_dir_all(&folder).expect("the folder of seeds is writable");
        let mut inputs: Vec<Vec<u8>> = inputs;
        inputs.sort();
        inputs.dedup();
        // Of much the same the ones that differ most in length.
        inputs.sort_by_key(Vec::len);
        let step = inputs.len().div_ceil(MADE_MAX).max(1);
        for (index, input) in inputs.iter().step_by(step).enumerate() {
            let file = folder.join(format!("made-{index:02}"));
            if !file.exists() {
                fs::write(file, input).expect("the folder of seeds is writable");
            }
        }
    }
}

/// What a run on a real server has left and said.
#[derive(Debug, Default)]
struct Left {
    records: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
    spec: Vec<u8>,
    answers: Vec<Vec<u8>>,
    fields: Vec<Vec<u8>>,
}

async fn a_run() -> Result<Left, Box<dyn std::error::Error + Send + Sync>> {
    let server = RedisServer::start_on_tcp(&[]);
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let url = overheard(server.port(), heard.clone())?;
    let store = workflow::open_store(&url, "default").await?;
    let engine = Engine::builder().store(Arc::clone(&store)).only::<(fuzzed, fuzzed_child)>().start().await?;
    let instance = fuzzed::create(&engine).id("order-1").await?;
    wait::state(&instance, State::Waiting).await;
    let id = InstanceId::new("order-1")?;
    let mut left = Left::default();
    for stage in 0..3 {
        let snapshot = store.inspect(id.clone()).await?.ok_or("the instance is gone")?;
        left.blobs.push(snapshot.head.encode());
        left.spec = snapshot.head.spec.encode();
        left.fields.push(fields(&server)?);
        match stage {
            0 => drop(instance.pause().await?),
            1 => {
                instance.resume().await?;
                instance.send_type("news", 4_u64).id("a").await?;
                instance.send_type("news", 5_u64).key(17).await?;
                engine.list().await?;
                engine.overview().await?;
                instance.terminate("enough").await?;
            }
            _ => {}
        }
    }
    let records = store.journal(id, 1, 0).await?.ok_or("the journal is gone")?;
    left.records = records.iter().map(|record| record.as_bytes().to_vec()).collect();
    for record in &left.records {
        Record::decode(record)?;
    }
    engine.shutdown(wait::PATIENCE).await;
    let heard = heard.lock().expect("nothing panics under the lock").clone();
    let mut at = 0;
    while let Some(end) = wire::end_of_value(&heard, at) {
        if heard[at] == b'*' {
            left.answers.push(heard[at..end].to_vec());
        }
        at = end;
    }
    Ok(left)
}

/// The fields of the instance as they lie on the server.
fn fields(server: &RedisServer) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut words = vec!["HMGET", "wf:{default:0}:i:order-1"];
    words.extend(workflow::store::redis::reading::FIELDS);
    let fields: Vec<Option<Vec<u8>>> = redis::from_redis_value(server.command(&words))?;
    Ok(server::join(&fields))
}

/// A url that leads to the server, where what it says is kept.
fn overheard(port: u16, heard: Arc<Mutex<Vec<u8>>>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own = listener.local_addr()?.port();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let (Ok(server), heard) = (TcpStream::connect(("127.0.0.1", port)), heard.clone()) else { return };
            let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
            std::thread::spawn(move || pass(from_client, to_server, None));
            std::thread::spawn(move || pass(server, client, Some(heard)));
        }
    });
    Ok(format!("redis://127.0.0.1:{own}"))
}

/// Passes on what comes. Whole reads are kept together, so that answers of several connections lie side by side.
fn pass(mut from: TcpStream, mut to: TcpStream, heard: Option<Arc<Mutex<Vec<u8>>>>) {
    let (mut bytes, mut said) = ([0; 16 * 1024], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
        let Some(heard) = &heard else { continue };
        said.extend_from_slice(&bytes[..count]);
        if wire::end_of_value(&said, 0).is_some() {
            heard.lock().expect("nothing panics under the lock").append(&mut said);
        }
    }
}

/// Seeds that are texts.
const TEXTS: [(&str, &[&str]); 5] = [
    (
        "messages",
        &[
            "e7:payment:pi_1",
            "e0::",
            "c:order-1~0a",
            "e3:a:b:c",
            "\u{1}\u{4}null",
            "\u{2}\0\u{4}Oops\u{2}no\u{1}\u{2}so\u{1}\0\0",
            "\u{3}\u{2}no",
            "\u{4}\u{2}no",
            "\u{1}\u{7f}\u{3}\u{2}\u{7}\u{1}\u{3}\u{8}\u{2}\u{1}\u{1}",
        ],
    ),
    (
        "payloads",
        &[
            "null",
            "{\"a\":[1,null,3],\"b\":[]}",
            "[\"x\",-9007199254740993,true]",
            "1.7976931348623157e308",
            "{\"Ok\":\"x\"}",
            "{\"secs_since_epoch\":1795393681,\"nanos_since_epoch\":440000000}",
            "{\"secs\":18446744073709551615,\"nanos\":999999999}",
            "\"\\ud83d\\ude00\\u0000\"",
            "[[[[[[[[[[[[1]]]]]]]]]]]]",
            "{\"class\":\"shop::Error\",\"message\":\"no stock\",\"chain\":[\"empty\"],\"code\":null}",
            "\"Operator\"",
            "\"s3cret\"",
            "{\"s3cret\":[\"s3cret\"]}",
            "{\"Panic\":{\"message\":\"no\"}}",
            "{\"Quarantined\":{\"crashes\":3}}",
        ],
    ),
    (
        "names",
        &[
            "order-001",
            "a.b_c~d:e@f+g-h",
            "}x",
            "1700000000123.order.1~a",
            "-5.a",
            "wreport",
            "qmail",
            "g:ship/s:reserve[sku-1]#2",
            "p:fulfil#2/g:ship %2f %5ball%5d",
            "reserve|sku/1",
            "h:fees",
            "z:#3",
        ],
    ),
    ("durations", &["500ms", "30s", "15 minutes", "24h", "7d", "1 year", "0s", "3650d", "2 weeks", "٣s", "5µs"]),
    (
        "urls",
        &[
            "redis://user:s3cret@host:6379/3?partitions=4&ids=1",
            "redis://:s3cret@[::1]:6379",
            "rediss://user:s3cret@host/0",
            "unix:///run/redis.sock?db=2&user=u&pass=s3cret",
            "redis+unix:///run/redis.sock?partitions=2",
            "redis://host",
            "sqlite:store.db?synchronous=normal&mode=ro",
            "sqlite::memory:",
            "sqlite:///var/lib/store.db",
            "redis://user:p%40ss%2F@host",
        ],
    ),
];
