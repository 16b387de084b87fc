//! Heads, specs, outgoing commands and sessions as bytes: they read back, and damage is an error.

use proptest::prelude::*;

use super::*;
use crate::journal::divergence::{Divergence, Side};
use crate::journal::path::Kind;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::InstanceId;

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn spec() -> InstanceSpec {
    InstanceSpec {
        workflow: WorkflowName::new("order").expect("valid"),
        version: 3,
        queue: QueueName::new("q").expect("valid"),
        priority: 9,
        input: Payload::from_bytes(*b"{}"),
        seed: u128::MAX - 1,
        start_at: Some(time(-5)),
        keep_complete: Duration::new(60, 999_999_999),
        keep_failed: Duration::MAX,
        parent: Some(Parent { id: id("p"), run: 2, on_close: ParentClose::Abandon }),
    }
}

fn waits() -> Vec<Wait> {
    let path = Path::root().join(Kind::Wait, "w", Some("k"), 1);
    vec![
        Wait { path: path.clone(), channel: Some(Channel::event("t", "k")), due: Some(time(9)), shifts: true },
        Wait { path, channel: None, due: None, shifts: false },
    ]
}

fn failure() -> FailureData {
    FailureData::new(FailureKind::Failed, "E", "no")
}

fn places() -> Vec<Place> {
    let divergence = Divergence {
        position: 4,
        recorded: None,
        asked: vec![Side { operation: "step".to_owned(), path: "s:a".to_owned(), source: None }],
        message: "differs".to_owned(),
        traces: None,
    };
    let reasons = [
        PauseReason::Operator,
        PauseReason::Divergence(Box::new(divergence)),
        PauseReason::Quarantined { crashes: 3 },
        PauseReason::Panic { message: "p".to_owned() },
        PauseReason::Unreadable { message: "u".to_owned() },
    ];
    let ends = [
        End::Returned(Ending { result: Ok(Payload::from_bytes(*b"1")) }),
        End::Returned(Ending { result: Err(failure()) }),
        End::Terminated { reason: "r".to_owned() },
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
    places.extend(ends.map(|end| Place::Done { end, at: time(3), expires_at: Timestamp::MAX }));
    places
}

fn heads() -> Vec<Head> {
    let granted = Granted { v: 8, now: time(4), pause: true, messages: Vec::new() };
    let writes = [
        None,
        Some(OwnReply::Ok(granted.clone())),
        Some(OwnReply::Continue(granted)),
        Some(OwnReply::Fenced),
        Some(OwnReply::Stale),
        Some(OwnReply::Behind),
        Some(OwnReply::Gone),
        Some(OwnReply::Full),
    ];
    let suspects = [Suspect::No, Suspect::Yes { crashes: 1 }, Suspect::Marked { crashes: 2 }];
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
        last_controls: State::ALL.map(|state| (RequestId(6), ControlReply::Done(state))).to_vec(),
        fork: None,
        children: vec![id("c1"), id("c2")],
    };
    places().into_iter().enumerate().map(head).collect()
}

fn outgoings() -> Vec<Outgoing> {
    let message =
        NewMessage { channel: Channel::child(&id("c")), event_id: "c:1".into(), payload: Payload::from_bytes(*b"end") };
    vec![
        Outgoing::CreateChild { id: id("c"), spec: Arc::new(spec()) },
        Outgoing::Deliver { to: id("p"), run: 4, message },
        Outgoing::Close { child: id("c"), reason: "closed".to_owned() },
    ]
}

fn session() -> Session {
    let claim = ClaimMemory { number: 9, given: vec![(id("a"), 1)], notices: vec![id("b")] };
    Session { beats: 3, expires_at: time(5), revoked: true, claim: Some(claim), lost: vec![id("c")] }
}

/// Reads back what was written, and refuses every cut of it.
fn reads_back<T: PartialEq + std::fmt::Debug>(value: &T, bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, Damaged>) {
    assert_eq!(decode(bytes).as_ref(), Ok(value));
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "{value:?} cut at {cut}");
    }
    let mut newer = bytes.to_vec();
    newer[0] = FORMAT + 1;
    assert!(decode(&newer).is_err(), "a newer format is refused");
}

#[test]
fn everything_reads_back_and_no_cut_of_it_does() {
    for head in heads() {
        reads_back(&head, &head.encode(), |bytes| Head::decode(bytes, Arc::new(spec())));
    }
    for outgoing in outgoings() {
        reads_back(&outgoing, &outgoing.encode(), Outgoing::decode);
    }
    reads_back(&spec(), &spec().encode(), InstanceSpec::decode);
    reads_back(&session(), &session().encode(), Session::decode);
}

#[test]
fn a_fork_is_written_only_where_there_is_one() {
    for head in heads() {
        let path = Path::root().join(Kind::Step, "a", Some("k"), 1);
        let forked = Head { fork: Some(Fork { source: 3, streams: 1, path, open: true }), ..head.clone() };
        let (whole, plain) = (forked.encode(), head.encode());
        assert!(whole.starts_with(&plain));
        assert_eq!(Head::decode(&whole, Arc::new(spec())), Ok(forked));
        for cut in plain.len() + 1..whole.len() {
            assert!(Head::decode(&whole[..cut], Arc::new(spec())).is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn the_bytes_of_this_format_never_change() {
    // Blobs of stores in use start with these: a change needs a new format number, not new expectations here.
    let digest = |blobs: Vec<Vec<u8>>| blake3::hash(&blobs.concat()).to_hex()[..16].to_owned();
    let found = [
        digest(heads().iter().map(Head::encode).collect()),
        digest(outgoings().iter().map(Outgoing::encode).collect()),
        digest(vec![spec().encode(), session().encode()]),
    ];
    assert_eq!(found, ["0f02a1d89282af66", "29ac301c2ede51f4", "2a46d12980055236"]);
}

#[test]
fn the_answers_of_controls_read_back() {
    let mut head = heads().remove(0);
    head.last_controls =
        vec![(RequestId(1), ControlReply::Unknown), (RequestId(2), ControlReply::Refused(State::Complete))];
    reads_back(&head, &head.encode(), |bytes| Head::decode(bytes, Arc::new(spec())));
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        bytes.insert(0, FORMAT);
        let _ = Head::decode(&bytes, Arc::new(spec()));
        let _ = InstanceSpec::decode(&bytes);
        let _ = Outgoing::decode(&bytes);
        let _ = Session::decode(&bytes);
    }
}
