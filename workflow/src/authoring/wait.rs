//! Waits for events.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location as Caller, catch_unwind};
use std::time::Duration;

use super::attempt::panic_message;
use super::context::Ctx;
use super::durable::Durable;
use super::event::{Event, EventPayload};
use super::operation::{Label, Operation, misfit, unreadable};
use super::sleep::caller;
use crate::error::TimedOut;
use crate::journal::machine::Ask;
use crate::journal::message::Channel;
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::location::Location;
use crate::words::payload::{CodecError, Payload};

/// A wait for an event, without a deadline: awaiting it gives the event.
///
/// # Durability
/// An event that comes before the wait is kept. Events of one type and key are given first in, first out, in the order
/// in which the store accepted them; each is given once, and the wait's record and the event's removal are one write.
/// An event that does not decode is set aside, shown in the status, and the wait goes on.
#[must_use = "a wait does nothing until it is awaited, joined or raced"]
pub struct EventToAwaitInWorkflow<E> {
    request: Request<E>,
}

/// A wait with a deadline: awaiting it gives `Result<E, TimedOut>`.
///
/// # Durability
/// The deadline is recorded when the wait begins. An event that the store accepted before the deadline wins, however
/// late a worker sees either.
#[must_use = "a wait does nothing until it is awaited, joined or raced"]
pub struct EventWithinToAwaitInWorkflow<E> {
    request: Request<E>,
    limit: Duration,
}

struct Request<E> {
    label: Label,
    event_type: String,
    read: fn(&Payload) -> Result<E, CodecError>,
    readable: fn(&Payload) -> Result<(), String>,
}

/// Waits for an event of type `E`. `name` is the wait's own, as a step's.
#[track_caller]
pub fn wait_for<E: Event>(name: &'static str) -> EventToAwaitInWorkflow<E> {
    EventToAwaitInWorkflow::new(name, E::TYPE.to_owned(), caller(Caller::caller()))
}

/// Waits for an event of any sender that names its type `event_type`, and reads it as a `T`.
#[track_caller]
pub fn wait_for_type<T: EventPayload>(name: &'static str, event_type: impl Into<String>) -> EventToAwaitInWorkflow<T> {
    EventToAwaitInWorkflow::new(name, event_type.into(), caller(Caller::caller()))
}

impl<E> EventToAwaitInWorkflow<E> {
    fn new(name: &'static str, event_type: String, at: Location) -> Self
    where
        E: EventPayload,
    {
        let label = Label { kind: Kind::Wait, name, key: None, at };
        Self { request: Request { label, event_type, read: E::from_payload, readable: readable::<E> } }
    }

    /// Only events sent with this key. At most 256 bytes. Events and waits without a key meet each other only.
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.request.label.key = Some(key.to_string());
        self
    }

    /// How long to wait at most. Awaiting it then gives `Result<E, TimedOut>`.
    pub fn timeout(self, limit: Duration) -> EventWithinToAwaitInWorkflow<E> {
        EventWithinToAwaitInWorkflow { request: self.request, limit }
    }
}

impl<E> EventWithinToAwaitInWorkflow<E> {
    /// As [`EventToAwaitInWorkflow::key`].
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.request.label.key = Some(key.to_string());
        self
    }
}

impl<E> Request<E> {
    fn operation(self, cx: Ctx, timeout: Option<Duration>) -> Operation {
        let channel = Channel::event(&self.event_type, self.label.key.as_deref().unwrap_or(""));
        Operation::new(cx, self.label, Ask::Wait { channel, timeout, readable: self.readable })
    }
}

#[diagnostic::do_not_recommend]
impl<E: Send> Durable for EventToAwaitInWorkflow<E> {
    type Output = E;

    fn run(self, cx: Ctx) -> impl Future<Output = E> + Send {
        let read = self.request.read;
        let mut operation = self.request.operation(cx, None);
        async move {
            let outcome = (&mut operation).await;
            let Operation { cx, label, .. } = &operation;
            match outcome {
                Outcome::Event { payload, .. } => decode(cx, label, read(&payload)).await,
                _ => misfit(cx, label).await,
            }
        }
    }
}

#[diagnostic::do_not_recommend]
impl<E: Send> Durable for EventWithinToAwaitInWorkflow<E> {
    type Output = Result<E, TimedOut>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let (limit, read) = (self.limit, self.request.read);
        let mut operation = self.request.operation(cx, Some(limit));
        async move {
            let outcome = (&mut operation).await;
            let Operation { cx, label, .. } = &operation;
            match outcome {
                Outcome::Event { payload, .. } => Ok(decode(cx, label, read(&payload)).await),
                Outcome::TimedOut => Err(TimedOut::new(label.name, limit)),
                _ => misfit(cx, label).await,
            }
        }
    }
}

async fn decode<E>(cx: &Ctx, label: &Label, event: Result<E, CodecError>) -> E {
    match event {
        Ok(event) => event,
        Err(reason) => unreadable(cx, label, &reason).await,
    }
}

/// Whether the code can read an event. Called by the state machine, so a panic of the user's type stays here.
fn readable<E: EventPayload>(payload: &Payload) -> Result<(), String> {
    let decoded = catch_unwind(AssertUnwindSafe(|| E::from_payload(payload).map(drop)));
    match decoded {
        Ok(decoded) => decoded.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("reading it panicked: {}", panic_message(&*panic))),
    }
}

impl<E> fmt::Debug for Request<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("label", &self.label).field("type", &self.event_type).finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for EventToAwaitInWorkflow<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("request", &self.request).finish()
    }
}

impl<E> fmt::Debug for EventWithinToAwaitInWorkflow<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitWithin").field("request", &self.request).field("limit", &self.limit).finish()
    }
}
