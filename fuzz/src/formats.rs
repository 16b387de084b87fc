//! The formats kept on disk: what is read is written the same, and nothing else is read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use workflow::PauseReason;
use workflow::journal::command::{InstanceSpec, Outgoing};
use workflow::journal::head::Head;
use workflow::journal::message::{Channel, ChildEnd};
use workflow::journal::record::Record;
use workflow::journal::table::limit::Limit;
use workflow::journal::table::session::Session;
use workflow::journal::wire::{Damaged, Reader};
use workflow::words::id::{QueueName, WorkflowName};
use workflow::words::payload::Payload;

/// What was read is read again from what it is written as. Returns what it is written as.
fn reads_back<T: Debug + PartialEq>(
    read: &T,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, Damaged>,
) {
    let written = encode(read);
    assert_eq!(decode(&written).as_ref(), Ok(read), "it does not read back");
    // No input is given a way of being written that takes much more than itself.
    assert_eq!(decode(&written).map(|again| encode(&again)), Ok(written), "it is written in two ways");
}

/// One record of a journal.
pub fn records(bytes: &[u8]) {
    let Ok(record) = Record::decode(bytes) else { return };
    reads_back(&record, |record| record.encode().as_bytes().to_vec(), Record::decode);
    // What is shown of it to people.
    let shown = format!("{record:?} {} {:?}", record.path, record.path.last());
    assert!(!shown.is_empty() && !record.entry.word().is_empty());
    let around = record.path.enclosing().count();
    assert!(around <= record.path.as_str().len());
}

/// Heads, and what stores keep beside them: the first byte says which.
pub fn blobs(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let spec = || Arc::new(a_spec());
    match kind % 5 {
        0 => with(Head::decode(bytes, spec()), Head::encode, |bytes| Head::decode(bytes, spec())),
        1 => with(InstanceSpec::decode(bytes), InstanceSpec::encode, InstanceSpec::decode),
        2 => with(Outgoing::decode(bytes), Outgoing::encode, Outgoing::decode),
        3 => with(Session::decode(bytes), Session::encode, Session::decode),
        _ => with(Limit::decode(bytes), Limit::encode, Limit::decode),
    }
    if let Ok(head) = Head::decode(bytes, spec()) {
        let _state = (head.state(), head.due(), head.session());
    }
}

fn with<T: Debug + PartialEq>(
    read: Result<T, Damaged>,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, Damaged>,
) {
    if let Ok(read) = read {
        reads_back(&read, encode, decode);
    }
}

fn a_spec() -> InstanceSpec {
    InstanceSpec {
        workflow: WorkflowName::new("order").expect("a valid name"),
        version: 1,
        queue: QueueName::new("default").expect("a valid name"),
        priority: 0,
        input: Payload::default(),
        seed: 0,
        start_at: None,
        keep_complete: Duration::ZERO,
        keep_failed: Duration::ZERO,
        parent: None,
    }
}

/// Messages, the channels they come by, and every reader of plain values, in an order that the bytes say.
pub fn messages(bytes: &[u8]) {
    let payload = Payload::from_bytes(bytes);
    if let Ok(end) = ChildEnd::decode(&payload) {
        reads_back(&end, |end| end.encode().as_bytes().to_vec(), |bytes| ChildEnd::decode(&Payload::from_bytes(bytes)));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let channel = Channel::from_stored(text);
        if let Some((event_type, key)) = channel.as_event() {
            let (event_type, key) = (event_type.to_owned(), key.to_owned());
            assert_eq!(Channel::event(&event_type, &key).as_event(), Some((&*event_type, &*key)));
            assert_eq!(channel.as_child(), None, "an event is taken for the end of a child");
        }
        let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let (event_type, key) = text.split_at(middle);
        let made = Channel::event(event_type, key);
        assert_eq!(made.as_event(), Some((event_type, key)));
        assert_eq!(made.as_child(), None);
    }
    values(bytes);
}

fn values(bytes: &[u8]) {
    let mut from = Reader::new(bytes);
    while !from.is_at_end() {
        let Ok(kind) = from.byte() else { return };
        let read = match kind % 9 {
            0 => from.flag().map(|_| 0),
            1 => from.number().map(|_| 0),
            2 => from.small().map(|_| 0),
            3 => from.signed().map(|_| 0),
            4 => from.wide().map(|_| 0),
            5 => from.bytes().map(<[u8]>::len),
            6 => from.text().map(str::len),
            7 => from.optional(Reader::number).map(|_| 0),
            _ => from.list(Reader::number).map(|values| values.len()),
        };
        match read {
            Ok(held) => assert!(held <= bytes.len(), "more was read than there is"),
            Err(damaged) => {
                assert!(damaged.at <= bytes.len(), "{damaged} is beyond the bytes");
                return;
            }
        }
    }
}

/// Payloads, as values of every kind of type that users record.
pub fn payloads(bytes: &[u8]) {
    let payload = Payload::from_bytes(bytes);
    assert!(payload.is_same_value(&payload.clone()));
    if payload.decode::<serde_json::Value>().is_ok() {
        assert!(payload.is_same_but_for_order(&payload.clone()));
    }
    reads::<serde_json::Value>(&payload);
    reads::<BTreeMap<String, Vec<Option<u64>>>>(&payload);
    reads::<(String, i64, bool)>(&payload);
    reads::<f64>(&payload);
    reads::<Result<String, ()>>(&payload);
    reads::<SystemTime>(&payload);
    reads::<Duration>(&payload);
    reads::<workflow::Error>(&payload);
    reads::<PauseReason>(&payload);
    let shown = format!("{payload:?}");
    assert!(shown.len() < 40, "a payload is shown");
}

fn reads<T: serde::de::DeserializeOwned + serde::Serialize>(payload: &Payload) {
    match payload.decode::<T>() {
        Ok(value) => {
            let written = Payload::encode(&value).map(|again| again.decode::<T>().is_ok());
            assert!(matches!(written, Ok(true)), "what was read cannot be recorded again");
        }
        // What is wrong is said, and nothing of what is there is repeated.
        Err(error) => {
            let said = format!("{error} {error:?}");
            assert!(said.len() < 2_048 && !said.contains("s3cret"), "{said}");
        }
    }
}
