//! Durations in every place where one may be written, and texts and numbers that are none.

use crate::remote;
use std::time::Duration;
use workflow::prelude::*;

const GRACE: Duration = Duration::from_secs(90);

const fn patience(urgent: bool) -> Duration {
    if urgent { Duration::from_secs(1) } else { GRACE }
}

/// Waits, and adds up how long.
#[workflow]
async fn waits(urgent: bool, factor: u32) -> workflow::Result<u64> {
    let mut waited = Duration::ZERO;
    for pause in [1s, 500ms, 2m, 1h] {
        sleep(pause).await;
        waited += pause;
    }
    let pause = if urgent { 1s } else { 2 * 30s };
    sleep(pause * factor).await;
    sleep("3 seconds").await;
    sleep(patience(urgent)).await;
    sleep(GRACE.min(1m)).await;
    let backoff = |attempt: u32| 10s * 2_u32.pow(attempt);
    sleep(backoff(2)).await;
    waited += vec![1s, 2s].into_iter().sum::<Duration>() + Duration::from_millis(1_500);
    let late = timeout("1 minute", sleep(2m)).await;
    assert!(late.is_err(), "{} is longer than {:?}", "2m", 1m);
    let sizes = [1u8, 2, 3].map(|size| u64::from(size) << 2) == [4u64, 8, 12];
    let text = ["5m", "10 seconds", r"3s"].join("/");
    let step = step!("measure", timeout = "30 seconds", delay = 1s, retries = 1u32, remote::answer(text.len())).await?;
    match waited {
        long if long > 1h => Ok(long.as_secs() + u64::from(sizes) + step as u64),
        short => Err(format!("{short:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits() {
        assert_eq!(waits::test(false, 2).run().result, Ok(3_600 + 120 + 1 + 3 + 2 - 1 + 1 + 1 + 16));
    }
}
