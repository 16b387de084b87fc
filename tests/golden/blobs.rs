//! What stores keep beside journals: heads in every place, what instances are, commands for others, sessions, limits, ends
//! of children. Each line of a file is a word for what it is, its bytes in hexadecimal, and what that means.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use workflow::journal::command::{
    ControlReply, Ending, Granted, InstanceSpec, Outgoing, OwnReply, Parent, ParentClose, PauseReason, Wait,
};
use workflow::journal::divergence::{Divergence, Side, Traces};
use workflow::journal::head::{End, Fork, Head, Place, State, Suspect};
use workflow::journal::message::{Channel, ChildEnd, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::journal::table::limit::{Limit, Share};
use workflow::journal::table::session::{ClaimMemory, Session};
use workflow::journal::wire::Damaged;
use workflow::words::failure::{FailureData, FailureKind};
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use crate::FORMAT;
use crate::hex::{hex, unhex};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/blobs")
}

/// What is kept, and how it is read.
const WORDS: [&str; 6] = ["head", "spec", "outgoing", "session", "limit", "child end"];

/// Reads what a word says; gives what it means, and the bytes it is written as today.
fn read(word: &str, bytes: &[u8]) -> Result<(String, Vec<u8>), Damaged> {
    fn of<T: Debug>(read: T, encode: impl Fn(&T) -> Vec<u8>) -> (String, Vec<u8>) {
        (format!("{read:?}"), encode(&read))
    }
    Ok(match word {
        // What it is stands beside it, and is a word of its own here.
        "head" => of(Head::decode(bytes, Arc::new(spec()))?, Head::encode),
        "spec" => of(InstanceSpec::decode(bytes)?, InstanceSpec::encode),
        "outgoing" => of(Outgoing::decode(bytes)?, Outgoing::encode),
        "session" => of(Session::decode(bytes)?, Session::encode),
        "limit" => of(Limit::decode(bytes)?, Limit::encode),
        "child end" => of(ChildEnd::decode(&Payload::from_bytes(bytes))?, |end| end.encode().as_bytes().to_vec()),
        other => panic!("{other} is not kept"),
    })
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

const fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn spec() -> InstanceSpec {
    InstanceSpec {
        workflow: WorkflowName::new("shop.order").expect("valid"),
        version: 3,
        queue: QueueName::new("mail").expect("valid"),
        priority: 9,
        input: Payload::from_bytes(*b"{\"a\":1}"),
        seed: u128::MAX - 1,
        start_at: Some(time(5)),
        keep_complete: Duration::new(60, 999_999_999),
        keep_failed: Duration::MAX,
        parent: Some(Parent { id: id("parent-1"), run: 2, on_close: ParentClose::Abandon }),
    }
}

fn failure() -> FailureData {
    let mut failure = FailureData::new(FailureKind::TimedOut, "shop::Error", "no stock");
    failure.chain = vec!["empty".to_owned()];
    failure.data = Some(Payload::from_bytes(*b"{}"));
    failure
}

fn waits() -> Vec<Wait> {
    let path = Path::root().join(Kind::Wait, "payment", Some("pi_1"), 1);
    vec![
        Wait { path: path.clone(), channel: Some(Channel::event("paid", "pi_1")), due: Some(time(9)), shifts: true },
        Wait { path, channel: Some(Channel::child(&id("c"))), due: None, shifts: false },
    ]
}

fn places() -> Vec<Place> {
    let side =
        || Side { operation: "step \"a\"".to_owned(), path: "s:a".to_owned(), source: Some("a.rs:1".to_owned()) };
    let divergence = |traces| Divergence {
        position: 4,
        recorded: Some(side()),
        asked: vec![side()],
        message: "differs".to_owned(),
        traces,
    };
    let traces = Traces { run: vec!["1. step".to_owned()], replay: vec!["1. sleep".to_owned()] };
    let reasons = [
        PauseReason::Operator,
        PauseReason::Divergence(Box::new(divergence(None))),
        PauseReason::Divergence(Box::new(divergence(Some(traces)))),
        PauseReason::Quarantined { crashes: 3 },
        PauseReason::Panic { message: "no".to_owned() },
        PauseReason::Unreadable { message: "no".to_owned() },
    ];
    let ends = [
        End::Returned(Ending { result: Ok(Payload::from_bytes(*b"1")) }),
        End::Returned(Ending { result: Err(failure()) }),
        End::Terminated { reason: "enough".to_owned() },
    ];
    let mut places = vec![
        Place::Ready { score: -7 },
        Place::Shelved,
        Place::Inbox { session: SessionId(u128::MAX), since: time(1), waits: waits() },
        Place::Held { session: SessionId(1), notice: true },
        Place::Asleep { waits: waits(), sticky: Some(SessionId(2)) },
        Place::Asleep { waits: Vec::new(), sticky: None },
    ];
    places.extend(reasons.map(|reason| Place::Paused { reason, since: time(2), waits: waits() }));
    places.extend(ends.map(|end| Place::Done { end, at: time(3), expires_at: time(4) }));
    places
}

fn heads() -> Vec<Head> {
    let granted = || Granted { v: 8, now: time(4), pause: true, messages: Vec::new() };
    let writes = [
        None,
        Some(OwnReply::Ok(granted())),
        Some(OwnReply::Continue(granted())),
        Some(OwnReply::Fenced),
        Some(OwnReply::Stale),
        Some(OwnReply::Behind),
        Some(OwnReply::Gone),
        Some(OwnReply::Full),
    ];
    let suspects = [Suspect::No, Suspect::Yes { crashes: 1 }, Suspect::Marked { crashes: 2 }];
    let fork = || Fork { source: 1, streams: 1, path: Path::root().join(Kind::Step, "pay", None, 0), open: true };
    let controls = State::ALL.iter().flat_map(|state| [ControlReply::Done(*state), ControlReply::Refused(*state)]);
    let controls: Vec<_> = controls.chain([ControlReply::Unknown]).map(|reply| (RequestId(6), reply)).collect();
    let head = |(index, place): (usize, Place)| Head {
        spec: Arc::new(spec()),
        created_by: RequestId(77),
        created_at: time(10),
        run: 2,
        started_at: time(11),
        updated_at: time(12),
        v: u64::MAX,
        place,
        pause: index % 2 == 0,
        begun: index % 2 == 1,
        records: 5,
        journal_bytes: 600,
        arrivals: 7,
        unread: 1,
        outgoing: 3,
        shift_ms: -1,
        suspect: suspects[index % suspects.len()],
        last_write: writes[index % writes.len()].clone().map(|reply| (RequestId(5), reply)),
        last_controls: controls.iter().skip(index % 4).take(4 + index % 12).cloned().collect(),
        fork: (index % 4 == 1).then(fork),
        children: vec![id("c1"), id("c2")],
    };
    places().into_iter().enumerate().map(head).collect()
}

/// Everything of every kind, with its word.
fn everything() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&str, Vec<u8>)> = heads().iter().map(|head| ("head", head.encode())).collect();
    let plain = InstanceSpec { start_at: None, parent: None, keep_failed: Duration::ZERO, ..spec() };
    let parent = spec().parent.map(|parent| Parent { on_close: ParentClose::Terminate, ..parent });
    all.extend([spec(), plain, InstanceSpec { parent, ..spec() }].map(|spec| ("spec", spec.encode())));
    let payload = ChildEnd::Complete(Payload::from_bytes(*b"1")).encode();
    let message = NewMessage { channel: Channel::child(&id("c")), event_id: "c:1".into(), payload };
    all.extend(
        [
            Outgoing::CreateChild { id: id("c"), spec: Arc::new(spec()) },
            Outgoing::Deliver { to: id("p"), run: 4, message },
            Outgoing::Close { child: id("c"), reason: "its parent closed".to_owned() },
        ]
        .map(|outgoing| ("outgoing", outgoing.encode())),
    );
    let claim = ClaimMemory { number: 9, given: vec![(id("a"), 300)], notices: vec![id("b")] };
    let session = |claim| Session { beats: 300, expires_at: time(1), revoked: true, claim, lost: vec![id("l")] };
    all.extend([session(None), session(Some(claim))].map(|session| ("session", session.encode())));
    let share = Share { session: SessionId(3), number: 300, tokens: 2 };
    all.push(("limit", Limit { shares: vec![share], spent: vec![(time(1), 4)] }.encode()));
    let ends = [
        ChildEnd::Complete(Payload::from_bytes(*b"2")),
        ChildEnd::Errored(failure()),
        ChildEnd::Terminated { reason: "no".to_owned() },
        ChildEnd::NotCreated { reason: "taken".to_owned() },
    ];
    all.extend(ends.map(|end| ("child end", end.encode().as_bytes().to_vec())));
    all
}

/// Every blob of every format, with where it stands.
fn kept() -> Vec<(String, String, Vec<u8>, String)> {
    let blessed = folder().join(format!("{FORMAT}.blobs"));
    if std::env::var_os("BLESS").is_some() && !blessed.exists() {
        let line = |(word, bytes): &(&str, Vec<u8>)| {
            let (meaning, _) = read(word, bytes).expect("it was just written");
            format!("{word}\t{}\t{meaning}\n", hex(bytes))
        };
        fs::write(&blessed, everything().iter().map(line).collect::<String>()).expect("the folder is writable");
    }
    let mut all = Vec::new();
    for file in fs::read_dir(folder()).expect("the golden blobs are there") {
        let path = file.expect("readable").path();
        for (index, line) in fs::read_to_string(&path).expect("readable").lines().enumerate() {
            let (word, rest) = line.split_once('\t').expect("a word, a tab, and the rest");
            let (bytes, meant) = rest.split_once('\t').expect("bytes, a tab, a meaning");
            all.push((format!("{path:?}:{}", index + 1), word.to_owned(), unhex(bytes), meant.to_owned()));
        }
    }
    all
}

#[test]
fn every_blob_ever_written_means_what_it_meant_and_is_written_the_same() {
    let kept = kept();
    for (place, word, bytes, meant) in &kept {
        let (meaning, written) = read(word, bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!((&meaning, &written), (meant, bytes), "{place}");
    }
    let words: BTreeSet<&str> = kept.iter().map(|(_, word, ..)| word.as_str()).collect();
    assert_eq!(words, BTreeSet::from(WORDS));
    let newest: BTreeSet<&[u8]> = kept.iter().map(|(_, _, bytes, _)| bytes.as_slice()).collect();
    let today = everything();
    let missing = today.iter().find(|(_, bytes)| !newest.contains(bytes.as_slice()));
    assert!(missing.is_none(), "a new format needs a new version byte and a new golden file: {missing:?}");
}

/// A reader that does not know of something refuses the whole: it never leaves out what it does not understand.
#[test]
fn what_is_newer_is_refused() {
    for (place, word, bytes, _) in kept() {
        let has_version = word != "child end";
        if has_version {
            let newer = [&[bytes[0] + 1], &bytes[1..]].concat();
            let error = read(&word, &newer).expect_err("a newer format");
            assert!(error.what.contains("format"), "{place}: {error}");
        }
        // Something more behind what is known.
        let longer = [bytes.as_slice(), &[0]].concat();
        let refused = read(&word, &longer);
        // A head without a fork may have one: then what follows must be a whole one.
        assert!(refused.is_err(), "{place}: {refused:?}");
        for cut in 0..bytes.len() {
            // The fork is at the end of a head, and a head without it is one that was not restarted.
            let shorter = read(&word, &bytes[..cut]);
            let is_without_fork =
                word == "head" && shorter.as_ref().is_ok_and(|(_, written)| written[..] == bytes[..cut]);
            assert!(shorter.is_err() || is_without_fork, "{place} cut at {cut}: {shorter:?}");
        }
        // A kind that is not known yet: each is one byte, and the numbers of all kinds are small.
        let kind_at = usize::from(has_version);
        if matches!(word.as_str(), "outgoing" | "child end") {
            for kind in [0, 9, 0x7F, 0xFF] {
                let mut other = bytes.clone();
                other[kind_at] = kind;
                assert!(read(&word, &other).is_err(), "{place}: kind {kind}");
            }
        }
    }
}
