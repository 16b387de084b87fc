//! Journals written by released versions stay readable for ever: the files beside this one are never changed, only
//! joined by those of newer formats.
//!
//! Each line of a file is one record: its bytes in hexadecimal, a tab, and what it means. To add a file for a new
//! format, run with `BLESS=1`, which writes `records/v<format>.journal` only where no such file exists. `blobs` does the same
//! for what is kept beside journals, `replay` for whole orders, `stores` for whole servers and files.

mod blobs;
mod hex;
mod journal;
mod order;
mod replay;
mod stores;

use std::fs;
use std::path::PathBuf;

use workflow::journal::message::ChildEnd;
use workflow::journal::path::{Kind, Path};
use workflow::journal::record::{Entry, Outcome, Record};
use workflow::words::failure::{FailureData, FailureKind};
use workflow::words::id::InstanceId;
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use crate::hex::{hex, unhex};

const FORMAT: &str = "v1";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/records")
}

/// One record of every kind, with every field set to something that would be missed.
fn every_kind() -> Vec<Record> {
    let mut failure = FailureData::new(FailureKind::TimedOut, "shop::OrderError", "no stock of \u{1F9E6}");
    failure.chain = vec!["the warehouse said no".to_owned(), "it is empty".to_owned()];
    failure.attempts = 4;
    failure.fatal = true;
    failure.data = Some(Payload::from_bytes(*b"{\"OutOfStock\":{\"sku\":\"A-1\"}}"));
    let plain = |kind| FailureData::new(kind, "", "plain");
    let root = Path::root();
    let part = root.join(Kind::Part, "fulfil", None, 2);
    let group = part.join(Kind::Group, "ship / [all] #1 100%", None, 0);
    let entries = [
        (
            root.join(Kind::Step, "fetch user", None, 0),
            Entry::Done(Outcome::Value(Payload::from_bytes(*b"{\"id\":7}"))),
        ),
        (group.join(Kind::Step, "reserve", Some("A/1"), 1), Entry::Done(Outcome::Failed(failure.clone()))),
        (group.clone(), Entry::Done(Outcome::Failed(plain(FailureKind::Failed)))),
        (group.clone(), Entry::Attempt { number: 1, failure, due: Timestamp::from_millis(1_700_000_060_000) }),
        (group.clone(), Entry::Resumed { number: 2 }),
        (root.join(Kind::Step, "p", None, 0), Entry::Done(Outcome::Failed(plain(FailureKind::Panicked)))),
        (root.join(Kind::Step, "n", None, 0), Entry::Done(Outcome::Failed(plain(FailureKind::NotRecordable)))),
        (
            root.join(Kind::Sleep, "", None, 3),
            Entry::Begun { due: Timestamp::from_millis(1_700_086_400_000), shifts: true },
        ),
        (root.join(Kind::Sleep, "", None, 3), Entry::Done(Outcome::Slept)),
        (root.join(Kind::Timeout, "", None, 0), Entry::Begun { due: Timestamp::from_millis(-1), shifts: false }),
        (
            root.join(Kind::Wait, "payment", Some("pi_1"), 0),
            Entry::Done(Outcome::Event { message: 300, payload: Payload::from_bytes(*b"null") }),
        ),
        (root.join(Kind::Wait, "payment", None, 0), Entry::Done(Outcome::TimedOut)),
        (root.join(Kind::Wait, "payment", None, 0), Entry::SetAside { message: 2, reason: "not a payment".to_owned() }),
        (
            root.join(Kind::Child, "refund", None, 0),
            Entry::Started { child: InstanceId::new("order-1~0a").expect("valid") },
        ),
        (
            root.join(Kind::Child, "refund", None, 0),
            Entry::Done(Outcome::Child(ChildEnd::Complete(Payload::from_bytes(*b"true")))),
        ),
        (
            root.join(Kind::Child, "refund", None, 1),
            Entry::Done(Outcome::Child(ChildEnd::Errored(plain(FailureKind::Failed)))),
        ),
        (
            root.join(Kind::Child, "refund", None, 2),
            Entry::Done(Outcome::Child(ChildEnd::Terminated { reason: "by an operator".to_owned() })),
        ),
        (
            root.join(Kind::Child, "refund", None, 3),
            Entry::Done(Outcome::Child(ChildEnd::NotCreated { reason: "the id is taken".to_owned() })),
        ),
        (root.join(Kind::Changed, "fees", None, 0), Entry::Changed),
        (root, Entry::Shifted { by_ms: 86_400_000 }),
    ];
    let at = |index: usize| Timestamp::from_millis(1_700_000_000_000 + i64::try_from(index).expect("few"));
    entries.into_iter().enumerate().map(|(index, (path, entry))| Record { time: at(index), path, entry }).collect()
}

/// What a record means, payloads included (which `Debug` keeps to itself).
fn meaning(record: &Record) -> String {
    let payload = match &record.entry {
        Entry::Done(Outcome::Value(payload) | Outcome::Event { payload, .. }) => Some(payload),
        Entry::Done(Outcome::Child(ChildEnd::Complete(payload))) => Some(payload),
        Entry::Done(Outcome::Failed(failure)) | Entry::Attempt { failure, .. } => failure.data.as_ref(),
        _ => None,
    };
    let payload = payload.map(|payload| String::from_utf8_lossy(payload.as_bytes()).into_owned());
    format!("{record:?} {payload:?}")
}

#[test]
fn every_record_ever_written_means_what_it_meant() {
    let blessed = folder().join(format!("{FORMAT}.journal"));
    if std::env::var_os("BLESS").is_some() && !blessed.exists() {
        let records = every_kind();
        let lines = records.iter().map(|record| format!("{}\t{}\n", hex(record.encode().as_bytes()), meaning(record)));
        fs::write(&blessed, lines.collect::<String>()).expect("the folder is writable");
    }
    let mut seen = 0;
    for file in fs::read_dir(folder()).expect("the golden journals are there") {
        let path = file.expect("readable").path();
        let text = fs::read_to_string(&path).expect("readable");
        for (index, line) in text.lines().enumerate() {
            let (bytes, meant) = line.split_once('\t').expect("bytes, a tab, a meaning");
            let record =
                Record::decode(&unhex(bytes)).unwrap_or_else(|error| panic!("{path:?}:{}: {error}", index + 1));
            assert_eq!(meaning(&record), meant, "{path:?}:{}", index + 1);
            seen += 1;
        }
    }
    assert!(seen >= every_kind().len(), "the golden journals hold every kind of record");
}

#[test]
fn this_version_writes_the_newest_format_to_the_byte() {
    let text = fs::read_to_string(folder().join(format!("{FORMAT}.journal"))).expect("the newest golden journal");
    let written: Vec<String> = every_kind().iter().map(|record| hex(record.encode().as_bytes())).collect();
    let kept: Vec<&str> = text.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(written, kept, "a new format needs a new version byte and a new golden file");
}

/// A reader that does not know a version, a kind or a flag refuses the record: it never leaves out what it does not know.
#[test]
fn what_is_newer_is_refused() {
    for record in every_kind() {
        let bytes = record.encode().as_bytes().to_vec();
        let refuses = |bytes: &[u8], what: &str| {
            let error = Record::decode(bytes).expect_err(what);
            assert!(error.what.contains(what), "{record:?}: {error}");
        };
        refuses(&[&[bytes[0] + 1], &bytes[1..]].concat(), "a format this version knows");
        refuses(&[bytes.as_slice(), &[0]].concat(), "the end");
        // After the version, the time and the path comes the kind.
        let time = bytes[1..].iter().position(|byte| byte & 0x80 == 0).expect("a number ends") + 2;
        let path = bytes[time..].iter().position(|byte| byte & 0x80 == 0).expect("a number ends") + time + 1;
        let kind = path + record.path.as_str().len();
        for unknown in [0, 7, 9, 17, 100, 255] {
            let mut other = bytes.clone();
            other[kind] = unknown;
            refuses(&other, "a kind of record this version knows");
        }
        if let Entry::Begun { .. } = record.entry {
            let mut other = bytes.clone();
            *other.last_mut().expect("it has bytes") = 2;
            refuses(&other, "a flag");
        }
    }
}
