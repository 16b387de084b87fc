//! Sending an event to one instance.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use super::create::warn_if_large;
use super::engine::Engine;
use super::error::EngineError;
use super::handle::wrong_reply;
use crate::journal::command::{Command, Reply, Send, SendReply};
use crate::journal::message::{Channel, NewMessage};
use crate::store::BoxFuture;
use crate::words::id::{InstanceId, random_u128};
use crate::words::limits::{KEY_BYTES_MAX, STEP_NAME_BYTES_MAX};
use crate::words::payload::{CodecError, Payload};

/// Begins every event id that comes from outside: no instance id has this character, so none of these ids can be that
/// of a child's end.
const FROM_OUTSIDE: char = '!';

/// An event on its way to one instance: made by [`Handle::send`](super::Handle::send), sent when it is awaited.
///
/// An event that comes before anyone waits for it is kept, first in first out for each type and key, and given to one
/// wait, once.
///
/// # Errors
/// Before anything is written: [`EngineError::Payload`] (it cannot be encoded, or takes more than 1 MiB),
/// [`EngineError::TooLong`] (type, key or id over 256 bytes), [`EngineError::Option`] (an empty type or id).
/// By the store: [`EngineError::NotFound`], [`EngineError::Finished`] when the run has ended,
/// [`EngineError::MailboxFull`]. An event that was sent before with the same id is answered as it was the first time until
/// the run ends; after that it is `Finished`, too. Whether it was sent is not known after [`EngineError::NoAnswer`] and
/// [`EngineError::Store`]: send it again with the same [`SendEvent::id`].
///
/// # Crashes
/// Once awaited with success the event is kept, to the durability of the store: it is given to a wait even if every
/// process dies now.
#[must_use = "an event is not sent until it is awaited"]
pub struct SendEvent {
    engine: Engine,
    to: InstanceId,
    event_type: String,
    key: Option<String>,
    id: Option<String>,
    payload: Result<Payload, CodecError>,
}

impl SendEvent {
    pub(super) fn new(engine: Engine, to: InstanceId, event_type: &str, payload: Result<Payload, CodecError>) -> Self {
        Self { engine, to, event_type: event_type.to_owned(), key: None, id: None, payload }
    }

    /// The key of the waits it is for: `wait_for::<E>("…").key(k)` gets events of exactly this key. Up to 256 bytes.
    /// Without it, it is for waits without a key.
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// The event's own id, 1 to 256 bytes: a second event of this id to the same run is accepted and changes nothing,
    /// even when the first has long been read. Without it each send is an event of its own.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    fn into_message(self) -> Result<NewMessage, EngineError> {
        EngineError::check_text("the event's type", &self.event_type, STEP_NAME_BYTES_MAX)?;
        if self.event_type.is_empty() {
            return Err(EngineError::option("send_type", "the event's type is empty"));
        }
        let key = self.key.unwrap_or_default();
        EngineError::check_text("the event's key", &key, KEY_BYTES_MAX)?;
        let id = match self.id {
            Some(id) if id.is_empty() => return Err(EngineError::option("id", "the event's id is empty")),
            Some(id) => id,
            None => format!("{:032x}", random_u128()),
        };
        EngineError::check_text("the event's id", &id, KEY_BYTES_MAX)?;
        let what = || format!("the event `{}`", self.event_type);
        let payload = self.payload.map_err(|source| EngineError::Payload { what: what(), source })?;
        warn_if_large("event", payload.as_bytes().len(), &self.to);
        let event_id = Arc::from(format!("{FROM_OUTSIDE}{id}"));
        Ok(NewMessage { channel: Channel::event(&self.event_type, &key), event_id, payload })
    }

    async fn carry_out(self) -> Result<(), EngineError> {
        let (engine, to) = (self.engine.clone(), self.to.clone());
        let send = Send { id: to.clone(), run: None, message: self.into_message()? };
        let id = to.to_string();
        match engine.send(Command::Send(send)).await? {
            Reply::Send(SendReply::Accepted) => Ok(()),
            Reply::Send(SendReply::Unknown) => Err(EngineError::NotFound { id }),
            Reply::Send(SendReply::Finished) => Err(EngineError::Finished { id }),
            Reply::Send(SendReply::Full) => Err(EngineError::MailboxFull { id }),
            other => Err(wrong_reply(&engine, &other)),
        }
    }
}

impl IntoFuture for SendEvent {
    type Output = Result<(), EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl fmt::Debug for SendEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither key nor payload: both come from outside and may be secret.
        f.debug_struct("SendEvent").field("to", &self.to).field("event_type", &self.event_type).finish_non_exhaustive()
    }
}
