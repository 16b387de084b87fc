//! Events: typed messages from outside.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::words::payload::{CodecError, Payload};

/// A message that can be sent to an instance and waited for: `#[derive(Event, Serialize, Deserialize)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "this type cannot be sent to an instance or waited for",
    note = "add `#[derive(Event, serde::Serialize, serde::Deserialize)]` to `{Self}`, or use `wait_for_type::<{Self}>(\"name\", \"type\")`"
)]
pub trait Event: EventPayload {
    /// The name senders and waits meet under. `#[event(name = "…")]`; unless given, the type's name.
    const TYPE: &'static str;
}

/// What an event carries: anything that serde writes and reads.
#[diagnostic::on_unimplemented(
    message = "an event must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`"
)]
pub trait EventPayload: Send + Sized + 'static {
    /// Writes it.
    #[doc(hidden)]
    fn to_payload(&self) -> Result<Payload, CodecError>;

    /// Reads it.
    #[doc(hidden)]
    fn from_payload(payload: &Payload) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> EventPayload for T {
    fn to_payload(&self) -> Result<Payload, CodecError> {
        Payload::encode(self)
    }

    fn from_payload(payload: &Payload) -> Result<Self, CodecError> {
        payload.decode()
    }
}
