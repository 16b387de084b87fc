//! Payloads: what users' values become in the journal. Opaque to every layer between the two ends.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limits::PAYLOAD_BYTES_MAX;
use super::mismatch::Mismatch;

/// An encoded value. Cheap to clone. Its content is never logged.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Payload(Arc<[u8]>);

/// Why a value cannot be recorded or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value cannot be written.
    #[error("the value cannot be recorded: {0}")]
    Encode(#[source] serde_json::Error),
    /// The bytes are not such a value.
    #[error("the recorded value cannot be read as `{wanted}`: {source}")]
    Decode {
        /// The type that was asked for.
        wanted: &'static str,
        /// What is wrong with the bytes; it repeats nothing of them.
        source: Mismatch,
    },
    /// The value is larger than a payload may be.
    #[error("the value takes {bytes} bytes; the limit is {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
    },
}

impl Payload {
    /// Encodes `value` as JSON.
    ///
    /// # Errors
    /// When serde refuses the value, or it takes more than 1 MiB.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, CodecError> {
        write(value).map_err(CodecError::Encode).and_then(Self::of_json)
    }

    /// Takes a value that [`write`] has encoded.
    ///
    /// # Errors
    /// When it takes more than 1 MiB.
    pub(crate) fn of_json(bytes: Vec<u8>) -> Result<Self, CodecError> {
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(CodecError::TooLarge { bytes: bytes.len() });
        }
        Ok(Self(Arc::from(bytes)))
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// When the bytes are not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        read(&self.0).map_err(|error| mismatch(std::any::type_name::<T>(), &error))
    }

    /// Takes bytes as they are, as a store reads them.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Whether both hold the same value: the same bytes, or JSON that differs only in the order of its objects' members,
    /// as a map without an order is written.
    #[must_use]
    pub fn is_same_value(&self, other: &Self) -> bool {
        self == other || self.json().is_some_and(|value| Some(value) == other.json())
    }

    /// Whether both hold the same value once the order of lists is left out too, as a set without an order is written.
    #[must_use]
    pub fn is_same_but_for_order(&self, other: &Self) -> bool {
        let sorted = |payload: &Self| payload.json().map(sorted);
        sorted(self).is_some_and(|value| Some(value) == sorted(other))
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.0).ok()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cold]
fn mismatch(wanted: &'static str, error: &serde_json::Error) -> CodecError {
    CodecError::Decode { wanted, source: Mismatch::of(error) }
}

/// A value whose lists are sorted.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(sorted).collect();
            values.sort_by_cached_key(Value::to_string);
            Value::Array(values)
        }
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, sorted(value))).collect(),
        other => other,
    }
}

/// A value as JSON.
///
/// Every type that users record goes through here and through [`read`], wherever it is used, so that the compiler makes
/// the code for it once; and what does not depend on the type is not made for each of them.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    written(&mut |to| value.serialize(to))
}

type ToJson<'a> = &'a mut serde_json::Serializer<&'a mut Vec<u8>>;

fn written(write: &mut dyn FnMut(ToJson<'_>) -> serde_json::Result<()>) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(128);
    write(&mut serde_json::Serializer::new(&mut bytes))?;
    Ok(bytes)
}

/// A value from JSON. See [`write`].
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads may hold secrets: their content must not reach logs.
        write!(f, "<{} bytes>", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Payload {
        Payload::from_bytes(text.as_bytes())
    }

    #[test]
    fn members_have_no_order_and_elements_have_one() {
        let one = json(r#"{"a":1,"b":[{"c":2,"d":3},4]}"#);
        assert!(one.is_same_value(&json(r#"{"b":[{"d":3,"c":2},4],"a":1}"#)));
        let turned = json(r#"{"a":1,"b":[4,{"c":2,"d":3}]}"#);
        assert!(!one.is_same_value(&turned));
        assert!(one.is_same_but_for_order(&turned));
        assert!(!one.is_same_but_for_order(&json(r#"{"a":1,"b":[4]}"#)));
    }

    #[test]
    fn what_is_not_json_is_compared_by_its_bytes() {
        assert!(json("{").is_same_value(&json("{")));
        assert!(!json("{").is_same_value(&json("[")));
        assert!(!json("{").is_same_but_for_order(&json("[")));
    }
}
