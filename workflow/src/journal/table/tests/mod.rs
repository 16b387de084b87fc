//! The table, place by place and guard by guard.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::command::{
    Action, Claim, Control, Create, Ending, InstanceSpec, Outgoing, Owner, OwnerWrite, Parent, ParentClose, Send, Then,
    Wait, Write,
};
use crate::journal::head::{End, Head, Place, Suspect};
use crate::journal::message::{Channel, NewMessage};
use crate::journal::path::{Kind, Path};
use crate::journal::table::Transition;
use crate::journal::table::claim::{Allowance, Taken, take};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

mod claims;
mod endings;
mod forks;
mod guards;
mod limits;
mod matrix;
mod pauses;
mod sessions;

/// A moment well after 1970, so that scores a day earlier are positive too.
const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
const MINE: SessionId = SessionId(1);
const OTHER: SessionId = SessionId(2);
const V: u64 = 1_000_000_050;

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn workflow(text: &str) -> WorkflowName {
    WorkflowName::new(text).expect("valid")
}

fn ago(millis: i64) -> Timestamp {
    NOW.shifted(-millis)
}

fn later(millis: i64) -> Timestamp {
    NOW.shifted(millis)
}

fn payload(text: &str) -> Payload {
    Payload::from_bytes(text.as_bytes())
}

fn failure() -> FailureData {
    FailureData::new(FailureKind::Failed, "E", "no")
}

fn spec() -> InstanceSpec {
    InstanceSpec {
        workflow: workflow("order"),
        version: 1,
        queue: QueueName::new("q").expect("valid"),
        priority: 0,
        input: payload("{}"),
        seed: 7,
        start_at: None,
        keep_complete: Duration::from_secs(60),
        keep_failed: Duration::from_secs(120),
        parent: None,
    }
}

fn parent(run: u32) -> Parent {
    Parent { id: id("parent"), run, on_close: ParentClose::Terminate }
}

fn channel() -> Channel {
    Channel::event("paid", "")
}

/// Waits for the event of [`channel`], and for a timer in 10 s.
fn waits() -> Vec<Wait> {
    vec![
        Wait {
            path: Path::root().join(Kind::Wait, "paid", None, 0),
            channel: Some(channel()),
            due: None,
            shifts: false,
        },
        Wait {
            path: Path::root().join(Kind::Sleep, "nap", None, 0),
            channel: None,
            due: Some(later(10_000)),
            shifts: true,
        },
    ]
}

/// An instance that has begun, with two records, at `place`.
fn at(place: Place) -> Head {
    Head {
        spec: Arc::new(spec()),
        created_by: RequestId(1),
        created_at: ago(60_000),
        run: 1,
        started_at: ago(60_000),
        updated_at: ago(1_000),
        v: V,
        place,
        pause: false,
        begun: true,
        records: 2,
        journal_bytes: 20,
        arrivals: 0,
        unread: 0,
        outgoing: 0,
        shift_ms: 0,
        suspect: Suspect::No,
        last_write: None,
        last_controls: Vec::new(),
        fork: None,
        children: Vec::new(),
    }
}

fn held() -> Head {
    at(Place::Held { session: MINE, notice: false })
}

fn asleep() -> Head {
    at(Place::Asleep { waits: waits(), sticky: Some(MINE) })
}

fn done(end: End) -> Head {
    at(Place::Done { end, at: ago(500), expires_at: later(500) })
}

fn write(then: Then) -> Write {
    Write { records: Vec::new(), consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then }
}

/// A write by the owner of [`held`].
fn by_owner(write: Write) -> OwnerWrite {
    let owner = Owner { id: id("i"), session: MINE, run: 1, v: V };
    OwnerWrite { request: RequestId(100), owner, write }
}

fn suspend(waits: Vec<Wait>) -> Then {
    Then::Suspend { waits, paused: false }
}

fn finish() -> Then {
    Then::Finish(Ending { result: Ok(payload("1")) })
}

fn event(event_id: &str) -> Send {
    let message = NewMessage { channel: channel(), event_id: event_id.into(), payload: payload("{}") };
    Send { id: id("i"), run: None, message }
}

fn order(action: Action) -> Control {
    Control { request: RequestId(200), id: id("i"), run: None, action }
}

fn terminate() -> Action {
    Action::Terminate { reason: "no".to_owned() }
}

fn restart_from() -> Action {
    Action::RestartFrom { path: Path::root().join(Kind::Step, "a", None, 0), source: 1 }
}

fn claim(session: SessionId, known: &str) -> Claim {
    Claim {
        number: 3,
        session,
        limit: 10,
        queues: Arc::new([QueueName::new("q").expect("valid")]),
        known: Arc::new([(workflow(known), 1)]),
        quotas: Vec::new(),
        limits: Vec::new(),
    }
}

/// What a claim that has given nothing makes of `i`.
fn taken(head: &Head, claim: &Claim, now: Timestamp) -> Transition<Taken> {
    take(&id("i"), head, claim, &mut Allowance::of(claim), now)
}

fn make(request: u128, local: Option<SessionId>) -> Create {
    Create { request: RequestId(request), id: id("i"), spec: Arc::new(spec()), local, message: None }
}

/// The creation of a child by run 1 of `i`.
fn child(name: &str, on_close: ParentClose) -> Outgoing {
    let spec = InstanceSpec { parent: Some(Parent { id: id("i"), run: 1, on_close }), ..spec() };
    Outgoing::CreateChild { id: id(name), spec: Arc::new(spec) }
}
