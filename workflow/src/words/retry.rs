//! How long to wait before the next attempt: pure arithmetic, no sleeping.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::millis_rounded_up;

/// How the delay grows from one retry to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always `delay`.
    #[default]
    Constant,
    /// `delay · n` before retry `n`.
    Linear,
    /// `delay · 2^(n-1)` before retry `n`.
    Exponential,
}

/// When a failed step or group is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 means one attempt.
    pub retries: u32,
    /// The delay before the first retry.
    pub delay: Duration,
    /// How it grows.
    pub backoff: Backoff,
    /// The most a delay grows to, before jitter; at most ten years in any case.
    pub max_delay: Option<Duration>,
    /// The fraction, 0.0 to 1.0, by which a delay is lengthened or shortened at random.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 0, delay: Duration::ZERO, backoff: Backoff::Constant, max_delay: None, jitter: 0.0 }
    }
}

impl RetryPolicy {
    /// The delay after failed attempt `attempt` (from 1), in milliseconds, or `None` when there is no retry left.
    ///
    /// `chance` is a number from 0.0 to 1.0 that decides the jitter.
    #[must_use]
    pub fn delay_after(&self, attempt: u32, chance: f64) -> Option<i64> {
        if attempt == 0 || attempt > self.retries {
            return None;
        }
        let base = millis_rounded_up(self.delay);
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => i64::from(attempt),
            Backoff::Exponential => 1_i64.checked_shl(attempt - 1).filter(|f| *f > 0).unwrap_or(i64::MAX),
        };
        let longest = millis_rounded_up(self.max_delay.unwrap_or(Duration::MAX));
        let delay = base.saturating_mul(factor).min(longest);
        let jitter = self.jitter.clamp(0.0, 1.0) * (chance.clamp(0.0, 1.0) * 2.0 - 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "at most ten years in milliseconds"
        )]
        let jittered = (delay as f64 * (1.0 + jitter)).round() as i64;
        Some(jittered.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff) -> Vec<Option<i64>> {
        let policy = RetryPolicy { retries: 3, delay: Duration::from_millis(200), backoff, ..RetryPolicy::default() };
        (1..=4).map(|attempt| policy.delay_after(attempt, 0.5)).collect()
    }

    #[test]
    fn each_backoff_starts_at_the_delay_itself() {
        assert_eq!(delays(Backoff::Constant), [Some(200), Some(200), Some(200), None]);
        assert_eq!(delays(Backoff::Linear), [Some(200), Some(400), Some(600), None]);
        assert_eq!(delays(Backoff::Exponential), [Some(200), Some(400), Some(800), None]);
    }

    #[test]
    fn a_delay_never_passes_its_maximum_nor_overflows() {
        let policy = RetryPolicy {
            retries: 10_000,
            delay: Duration::from_secs(1),
            backoff: Backoff::Exponential,
            max_delay: Some(Duration::from_secs(60)),
            jitter: 0.0,
        };
        assert_eq!(policy.delay_after(7, 0.0), Some(60_000));
        assert_eq!(policy.delay_after(10_000, 0.0), Some(60_000));
        let unbounded = RetryPolicy { max_delay: None, ..policy };
        assert_eq!(unbounded.delay_after(5_000, 0.0), Some(crate::words::limits::DURATION_MS_MAX));
    }

    #[test]
    fn jitter_moves_a_delay_by_at_most_its_fraction() {
        let policy = RetryPolicy { retries: 1, delay: Duration::from_secs(1), jitter: 0.5, ..RetryPolicy::default() };
        assert_eq!(policy.delay_after(1, 0.0), Some(500));
        assert_eq!(policy.delay_after(1, 0.5), Some(1_000));
        assert_eq!(policy.delay_after(1, 1.0), Some(1_500));
    }
}
