//! Times as they are serialised: RFC 3339 in UTC, to the millisecond, as other languages read and write them.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// A time.
pub(super) fn at<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    // What is before 1970 cannot be written so; no store's clock shows it.
    let time = (*time).max(SystemTime::UNIX_EPOCH);
    serializer.collect_str(&humantime::format_rfc3339_millis(time))
}

/// A time that may be missing.
pub(super) fn maybe_at<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => at(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// A duration in milliseconds.
pub(super) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Shown {
        #[serde(serialize_with = "at")]
        at: SystemTime,
        #[serde(serialize_with = "maybe_at")]
        due: Option<SystemTime>,
        #[serde(rename = "lasted_ms", serialize_with = "millis")]
        lasted: Duration,
    }

    #[test]
    fn times_are_rfc_3339_and_durations_milliseconds() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let shown = |due| serde_json::to_string(&Shown { at, due, lasted: Duration::from_secs(2) }).expect("encodes");
        assert_eq!(shown(None), r#"{"at":"2023-11-14T22:13:20.123Z","due":null,"lasted_ms":2000}"#);
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        assert!(shown(Some(far)).contains(r#""due":"9999-12-31T23:59:59.000Z""#));
        assert!(shown(Some(SystemTime::UNIX_EPOCH - Duration::from_secs(1))).contains("1970-01-01T00:00:00.000Z"));
    }
}
