//! Sending an event to one instance.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;

use super::create::{New, Prepared, warn_if_large};
use super::engine::Engine;
use super::error::EngineError;
use super::handle::{Handle, Subject, Untyped, wrong_reply};
use crate::definition::Definition;
use crate::journal::command::{Command, Reply, Send, SendReply};
use crate::journal::message::{Channel, NewMessage};
use crate::store::BoxFuture;
use crate::words::id::{InstanceId, random_u128};
use crate::words::limits::{KEY_BYTES_MAX, STEP_NAME_BYTES_MAX};
use crate::words::payload::{CodecError, Payload};

/// Begins every event id that comes from outside: no instance id has this character, so none of these ids can be that
/// of a child's end.
const FROM_OUTSIDE: char = '!';

/// An event on its way to one instance: made by [`Handle::send`], or by `order::get(&engine, id).send(…)` without a look
/// at the instance first, and sent when it is awaited.
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
pub struct SendEvent<W = Untyped> {
    engine: Engine,
    to: String,
    event_type: String,
    key: Option<String>,
    id: Option<String>,
    payload: Result<Payload, CodecError>,
    /// Nobody has looked yet whether it is for an instance of `W`.
    unseen: bool,
    /// What to create where there is no instance.
    absent: Option<Absent>,
    of: PhantomData<fn() -> W>,
}

/// Makes the create of an instance of this id.
type Absent = Box<dyn FnOnce(&Engine, &InstanceId) -> Result<Prepared, EngineError> + std::marker::Send>;

/// An instance that is created for an event may be deleted before the event comes, and that again.
const CREATE_TRIES: usize = 3;

impl<W> SendEvent<W> {
    pub(super) fn new(engine: Engine, to: String, event_type: &str, payload: Result<Payload, CodecError>) -> Self {
        let event_type = event_type.to_owned();
        Self { engine, to, event_type, key: None, id: None, payload, unseen: false, absent: None, of: PhantomData }
    }

    /// As [`Self::new`], to an instance that was not looked at.
    pub(super) fn unseen(self) -> Self {
        Self { unseen: true, ..self }
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

    fn message(&mut self) -> Result<NewMessage, EngineError> {
        EngineError::check_text("the event's type", &self.event_type, STEP_NAME_BYTES_MAX)?;
        if self.event_type.is_empty() {
            return Err(EngineError::option("send_type", "the event's type is empty"));
        }
        let key = self.key.take().unwrap_or_default();
        EngineError::check_text("the event's key", &key, KEY_BYTES_MAX)?;
        let id = match self.id.take() {
            Some(id) if id.is_empty() => return Err(EngineError::option("id", "the event's id is empty")),
            Some(id) => id,
            None => format!("{:032x}", random_u128()),
        };
        EngineError::check_text("the event's id", &id, KEY_BYTES_MAX)?;
        let what = || format!("the event `{}`", self.event_type);
        let payload = std::mem::replace(&mut self.payload, Ok(Payload::from_bytes([])));
        let payload = payload.map_err(|source| EngineError::Payload { what: what(), source })?;
        let event_id = Arc::from(format!("{FROM_OUTSIDE}{id}"));
        Ok(NewMessage { channel: Channel::event(&self.event_type, &key), event_id, payload })
    }
}

impl<W: Subject> SendEvent<W> {
    async fn carry_out(mut self) -> Result<(), EngineError> {
        let to = InstanceId::new(&self.to)?;
        let message = self.message()?;
        warn_if_large("event", message.payload.as_bytes().len(), &to);
        match self.absent.take() {
            Some(absent) => {
                let create = absent(&self.engine, &to)?;
                create_or_send(&self.engine, create, to, message).await
            }
            None => {
                if self.unseen {
                    Handle::<W>::new(self.engine.clone(), to.clone()).seen().await?;
                }
                send(&self.engine, to, message).await
            }
        }
    }
}

impl<W: Definition> SendEvent<W> {
    /// Creates the instance, if there is none of this id, with the event in its mailbox from the beginning: in one
    /// write, so that neither is there without the other. The instance is made by `order::new(…)`, without an id.
    ///
    /// An instance that exists gets the event as ever, whatever its inputs; one that has ended does not:
    /// [`EngineError::Finished`].
    ///
    /// # Errors
    /// Also those of a create, [`EngineError::AlreadyExists`] excepted.
    pub fn create_if_absent(mut self, instance: New<W>) -> Self {
        self.absent = Some(Box::new(move |engine, id| instance.prepare_as(engine, id)));
        self
    }
}

async fn create_or_send(
    engine: &Engine,
    create: Prepared,
    to: InstanceId,
    message: NewMessage,
) -> Result<(), EngineError> {
    let mut tries = CREATE_TRIES;
    loop {
        tries -= 1;
        let made = create.clone().carry_out(engine.clone(), Some(message.clone()), true).await?;
        if made.is_new() {
            return Ok(());
        }
        match send(engine, to.clone(), message.clone()).await {
            Err(EngineError::NotFound { .. }) if tries > 0 => {}
            outcome => return outcome,
        }
    }
}

async fn send(engine: &Engine, to: InstanceId, message: NewMessage) -> Result<(), EngineError> {
    let id = to.to_string();
    match engine.send(Command::Send(Send { id: to, run: None, message })).await? {
        Reply::Send(SendReply::Accepted) => Ok(()),
        Reply::Send(SendReply::Unknown) => Err(EngineError::NotFound { id }),
        Reply::Send(SendReply::Finished) => Err(EngineError::Finished { id }),
        Reply::Send(SendReply::Full) => Err(EngineError::MailboxFull { id }),
        other => Err(wrong_reply(engine, &other)),
    }
}

impl<W: Subject> IntoFuture for SendEvent<W> {
    type Output = Result<(), EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl<W> fmt::Debug for SendEvent<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither key nor payload: both come from outside and may be secret.
        f.debug_struct("SendEvent").field("to", &self.to).field("event_type", &self.event_type).finish_non_exhaustive()
    }
}
