//! Dates and times computed from `now`: the next full hour, weekends, deadlines, and how long something took.

use crate::remote;
use chrono::{DateTime, Datelike, Duration as Span, TimeZone as _, Timelike, Utc, Weekday};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use workflow::prelude::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Departure {
    at: DateTime<Utc>,
    waited: Duration,
    weekend: bool,
}

fn next_hour(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (time + Span::hours(1)).with_minute(0)?.with_second(0)?.with_nanosecond(0)
}

/// Departs at the next full hour after `earliest`.
#[workflow]
async fn depart(earliest: DateTime<Utc>) -> workflow::Result<Departure> {
    let started: SystemTime = now().await;
    let current = DateTime::<Utc>::from(started).max(earliest);
    let at = next_hour(current).ok_or("there is no such hour")?;
    sleep_until(at.into()).await;
    let platform = step!("platform", remote::answer(at.hour() % 12 + 1)).await?;
    sleep(1m * platform).await;
    let waited = now().await.duration_since(started).unwrap_or_default();
    let weekend = matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
    let since_epoch = now().await.duration_since(UNIX_EPOCH)?.as_secs();
    let midnight = Utc.timestamp_opt(i64::try_from(since_epoch - since_epoch % 86_400)?, 0).single();
    assert!(midnight.is_some_and(|midnight| midnight <= at + Span::days(1)));
    Ok(Departure { at, waited, weekend })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_departs_on_the_hour() {
        let earliest = Utc.with_ymd_and_hms(2100, 1, 1, 10, 20, 30).single().expect("a date");
        let departure = depart::test(earliest).run().result.expect("it departs");
        assert_eq!((departure.at.hour(), departure.at.minute(), departure.weekend), (11, 0, false));
        assert!(departure.waited > Duration::from_secs(3_600));
    }
}
