//! Which values the options of an engine may have.
//!
//! Owns the bounds and the words of what is out of them; who said the value is named by the caller: the builder names its
//! method, the environment its variable.

use std::time::Duration;

use crate::engine::VerifyReplay;
use crate::words::duration;
use crate::words::limits::DURATION_MS_MAX;

const LEASE_MIN: Duration = Duration::from_millis(500);
const LEASE_MAX: Duration = Duration::from_secs(600);
const CONCURRENCY_MAX: usize = 100_000;
const STICKY_MAX: usize = 1_000_000;

/// How many instances are driven at once.
pub(super) fn concurrency(instances: usize) -> Result<(), String> {
    refuse_unless((1..=CONCURRENCY_MAX).contains(&instances), || format!("it must be from 1 to {CONCURRENCY_MAX}"))
}

/// How many suspended runs stay in memory.
pub(super) fn sticky(instances: usize) -> Result<(), String> {
    refuse_unless(instances <= STICKY_MAX, || format!("it must be at most {STICKY_MAX}"))
}

/// How long a silent worker keeps its instances.
pub(super) fn lease(lease: Duration) -> Result<(), String> {
    let (min, max) = (duration::write(LEASE_MIN), duration::write(LEASE_MAX));
    refuse_unless((LEASE_MIN..=LEASE_MAX).contains(&lease), || format!("it must be from {min} to {max}"))
}

/// How long a call waits for the store.
pub(super) fn patience(patience: Duration) -> Result<(), String> {
    let longest = longest();
    refuse_unless(!patience.is_zero() && patience <= longest, || {
        "it must be more than zero and at most ten years of 365 days".to_owned()
    })
}

/// How long a finished instance is kept.
pub(super) fn retention(kept: Duration) -> Result<(), String> {
    refuse_unless(kept <= longest(), || "the longest is ten years of 365 days".to_owned())
}

/// Which runs are compared with their replay.
pub(super) fn verify_replay(which: VerifyReplay) -> Result<(), String> {
    refuse_unless(which.is_valid(), || "the part of `Sampled` must be from 0.0 to 1.0".to_owned())
}

fn longest() -> Duration {
    Duration::from_millis(DURATION_MS_MAX.unsigned_abs())
}

fn refuse_unless(good: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(message()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NS: Duration = Duration::from_nanos(1);

    #[test]
    fn every_bound_is_allowed_and_one_more_is_not() {
        assert!(concurrency(1).is_ok() && concurrency(100_000).is_ok());
        assert!(concurrency(0).is_err() && concurrency(100_001).is_err());
        assert!(sticky(0).is_ok() && sticky(1_000_000).is_ok());
        assert!(sticky(1_000_001).is_err());
        assert!(lease(LEASE_MIN).is_ok() && lease(LEASE_MAX).is_ok());
        assert!(lease(LEASE_MIN - MS).is_err() && lease(LEASE_MAX + MS).is_err());
        assert!(patience(NS).is_ok() && patience(longest()).is_ok());
        assert!(patience(Duration::ZERO).is_err() && patience(Duration::MAX).is_err());
        assert!(retention(Duration::ZERO).is_ok() && retention(longest()).is_ok());
        assert!(retention(longest() + NS).is_err() && retention(Duration::MAX).is_err());
        for part in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(verify_replay(VerifyReplay::Sampled(part)).is_err(), "{part}");
        }
        for part in [0.0, 0.5, 1.0] {
            assert!(verify_replay(VerifyReplay::Sampled(part)).is_ok(), "{part}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_told_with_both_of_them() {
        assert_eq!(lease(Duration::ZERO), Err("it must be from 500ms to 10m".to_owned()));
        assert_eq!(concurrency(0), Err("it must be from 1 to 100000".to_owned()));
    }
}
