//! Payloads: what users' values become in the journal. Opaque to every layer between the two ends.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::limits::PAYLOAD_BYTES_MAX;

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
        /// What is wrong with the bytes.
        source: serde_json::Error,
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
        let bytes = serde_json::to_vec(value).map_err(CodecError::Encode)?;
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
        serde_json::from_slice(&self.0)
            .map_err(|source| CodecError::Decode { wanted: std::any::type_name::<T>(), source })
    }

    /// Takes bytes as they are, as a store reads them.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads may hold secrets: their content must not reach logs.
        write!(f, "<{} bytes>", self.0.len())
    }
}
