//! What reaches an instance from outside: events, and the ends of its children. Both go through its mailbox.

use std::fmt;
use std::sync::Arc;

use super::record::{read_failure, write_failure};
use super::wire::{Damaged, Reader, Writer};
use crate::words::failure::FailureData;
use crate::words::id::InstanceId;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// What a message and a wait must have in common to meet. First in, first out within one channel.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(Arc<str>);

impl Channel {
    /// Events of one type and key. No key is the empty key.
    #[must_use]
    pub fn event(event_type: &str, key: &str) -> Self {
        // The type's length keeps ("a", "b:c") and ("a:b", "c") apart.
        Self(Arc::from(format!("e{}:{event_type}:{key}", event_type.len())))
    }

    /// The end of one run of one child.
    #[must_use]
    pub fn child(child: &InstanceId) -> Self {
        Self(Arc::from(format!("c:{child}")))
    }

    /// The child whose end this channel carries; `None` for events.
    #[must_use]
    pub fn as_child(&self) -> Option<&str> {
        self.0.strip_prefix("c:")
    }

    /// The type and key of the events this channel carries; `None` for the ends of children.
    #[must_use]
    pub fn as_event(&self) -> Option<(&str, &str)> {
        let (length, rest) = self.0.strip_prefix('e')?.split_once(':')?;
        let (event_type, key) = rest.split_at_checked(length.parse().ok()?)?;
        Some((event_type, key.strip_prefix(':')?))
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a stored channel.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A message on its way to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewMessage {
    /// Which waits it can meet.
    pub channel: Channel,
    /// Its id: a second message of this id to the same run is answered as the first and changes nothing.
    pub event_id: Arc<str>,
    /// What it carries: a user's event, or an encoded [`ChildEnd`].
    pub payload: Payload,
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    /// Its position, from 1, in the order the store accepted it.
    pub seq: u64,
    /// When the store accepted it.
    pub at: Timestamp,
    /// What was sent.
    pub message: NewMessage,
}

/// How a child ended, as its parent learns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildEnd {
    /// With its output.
    Complete(Payload),
    /// With its error.
    Errored(FailureData),
    /// By an operator, or because its parent closed.
    Terminated {
        /// Why.
        reason: String,
    },
    /// It could not be created.
    NotCreated {
        /// Why.
        reason: String,
    },
}

impl ChildEnd {
    /// As the payload of a message.
    #[must_use]
    pub fn encode(&self) -> Payload {
        let mut to = Writer::new();
        self.write(&mut to);
        Payload::from_bytes(to.into_bytes())
    }

    /// Reads the payload of a message.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(payload: &Payload) -> Result<Self, Damaged> {
        let mut from = Reader::new(payload.as_bytes());
        let end = Self::read(&mut from)?;
        from.end()?;
        Ok(end)
    }

    pub(super) fn write(&self, to: &mut Writer) {
        match self {
            Self::Complete(output) => {
                to.byte(1);
                to.bytes(output.as_bytes());
            }
            Self::Errored(failure) => {
                to.byte(2);
                write_failure(to, failure);
            }
            Self::Terminated { reason } => {
                to.byte(3);
                to.text(reason);
            }
            Self::NotCreated { reason } => {
                to.byte(4);
                to.text(reason);
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(match from.byte()? {
            1 => Self::Complete(Payload::from_bytes(from.bytes()?)),
            2 => Self::Errored(read_failure(from)?),
            3 => Self::Terminated { reason: from.text()?.to_owned() },
            4 => Self::NotCreated { reason: from.text()?.to_owned() },
            _ => return Err(from.damaged("how a child ended")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_keys_cannot_run_into_each_other() {
        assert_ne!(Channel::event("a", "b:c"), Channel::event("a:b", "c"));
        assert_eq!(Channel::event("a:ä", "b:c").as_event(), Some(("a:ä", "b:c")));
        assert_eq!(Channel::event("a", "").as_event(), Some(("a", "")));
        assert_eq!(Channel::child(&InstanceId::new("e1:a:b").expect("valid")).as_event(), None);
        assert_ne!(Channel::event("a", ""), Channel::event("", "a"));
    }

    #[test]
    fn no_event_is_taken_for_the_end_of_a_child() {
        let child = InstanceId::new("c:x").expect("valid");
        assert_eq!(Channel::child(&child).as_child(), Some("c:x"));
        assert_eq!(Channel::event("c:x", "c:x").as_child(), None);
        assert_eq!(Channel::event("", "c:").as_child(), None);
    }
}
