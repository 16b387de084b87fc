//! Time as the store tells it: whole milliseconds since 1970, and where they come from.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::limits::DURATION_MS_MAX;

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than any moment that can be reached.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `millis` milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment and `by` later, rounded up to a whole millisecond, at most ten years later.
    ///
    /// Rounding up keeps timers from being early.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis_rounded_up(by)))
    }

    /// This moment moved by `millis`.
    #[must_use]
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; negative when it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long until this moment, seen from `now`; zero when it has passed.
    #[must_use]
    pub fn until(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.since(now)).unwrap_or(0))
    }

    /// As the standard library's time.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        match u64::try_from(self.0) {
            Ok(millis) => UNIX_EPOCH + Duration::from_millis(millis),
            Err(_) => UNIX_EPOCH,
        }
    }

    /// From the standard library's time, rounded up to a whole millisecond; before 1970 becomes 1970.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(i64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)),
            Err(_) => Self(0),
        }
    }
}

/// A duration as milliseconds, rounded up, at most ten years.
#[must_use]
pub fn millis_rounded_up(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX).min(DURATION_MS_MAX)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Where a store reads the time from. One store has one clock: every due time is judged by it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. Never goes back.
    fn now(&self) -> Timestamp;
}

/// The machine's clock, held still while the machine's is set back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let read = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0,
        };
        Timestamp(self.latest.fetch_max(read, Ordering::AcqRel).max(read))
    }
}

/// A clock that moves only when told to: for tests of stores and engines.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn starting_at(start: Timestamp) -> Self {
        Self { now: AtomicI64::new(start.as_millis()) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(millis_rounded_up(by), Ordering::AcqRel);
    }

    /// Sets the clock back by `by`, as an operator who corrects it does.
    pub fn set_back(&self, by: Duration) {
        self.now.fetch_sub(millis_rounded_up(by), Ordering::AcqRel);
    }

    /// Moves the clock on to `time`, unless it has passed.
    pub fn advance_to(&self, time: Timestamp) {
        self.now.fetch_max(time.as_millis(), Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_up_so_that_timers_are_never_early() {
        let start = Timestamp::from_millis(1_000);
        assert_eq!(start.after(Duration::from_nanos(1)), Timestamp::from_millis(1_001));
        assert_eq!(start.after(Duration::from_millis(5)), Timestamp::from_millis(1_005));
        assert_eq!(start.after(Duration::MAX).since(start), DURATION_MS_MAX);
    }
}
