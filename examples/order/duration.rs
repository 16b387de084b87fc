//! Durations as people write them: `500ms`, `10m`, `2 days`; the library reads and writes them.

use std::time::Duration;

pub(crate) use workflow::words::duration::write;

/// Reads a duration.
///
/// # Errors
/// When it is not a whole number with a unit, or longer than ten years.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    workflow::words::duration::parse(text).map_err(|error| error.to_string())
}

/// For `#[serde(with = "duration::text")]`.
pub(crate) mod text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the duration as text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::write(*duration))
    }

    /// Reads the duration from text.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
