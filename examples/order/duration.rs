//! Durations as people write them: `500ms`, `1s`, `10m`, `24h`, `7d`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// When it is not a whole number with one of the units, or longer than the engine's ten years.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == "0" => 1,
        _ => {
            return Err(format!(
                "`{text}` is not a duration: write a whole number with ms, s, m, h or d, as in 500ms or 10m"
            ));
        }
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is not a duration: it needs a whole number before `{unit}`"))?;
    let millis = number.checked_mul(unit_ms).filter(|millis| *millis <= LONGEST_MS);
    millis.map(Duration::from_millis).ok_or_else(|| format!("`{text}` is longer than ten years"))
}

/// The engine takes no longer sleep or time limit.
const LONGEST_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

/// Writes a duration as [`parse`] reads it, in the largest unit that loses nothing.
pub(crate) fn write(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.iter().find(|(_, unit_ms)| millis >= *unit_ms && millis.is_multiple_of(*unit_ms)) {
        Some((unit, unit_ms)) => format!("{}{unit}", millis / unit_ms),
        None => format!("{millis}ms"),
    }
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
