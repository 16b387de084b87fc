//! The store's time between two answers: a lower bound, so that nothing that waits for a time is ever early.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::supervise::lock;
use crate::words::time::Timestamp;

/// What is known of the store's clock. The store's time was at least `said` when its answer came; since then at least
/// the time passed that the monotonic clock of this machine shows.
#[derive(Debug)]
pub(crate) struct StoreTime {
    latest: Mutex<Answer>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    said: Timestamp,
    received: Instant,
}

impl StoreTime {
    /// From a first answer that came just now.
    pub(crate) fn new(said: Timestamp) -> Self {
        Self { latest: Mutex::new(Answer { said, received: Instant::now() }) }
    }

    /// An answer that came just now says that it is this time. The newest answer counts, so that a store whose clock was
    /// set back is followed.
    pub(crate) fn heard(&self, said: Timestamp) {
        *lock(&self.latest) = Answer { said, received: Instant::now() };
    }

    /// The store's time is this or later.
    pub(crate) fn now(&self) -> Timestamp {
        let Answer { said, received } = *lock(&self.latest);
        // Rounded down: a whole millisecond must have passed to count.
        said.shifted(i64::try_from(received.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// How long until the estimate reaches `time`.
    pub(crate) fn until(&self, time: Timestamp) -> Duration {
        let Answer { said, received } = *lock(&self.latest);
        time.until(said).saturating_sub(received.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_estimate_moves_on_and_follows_the_newest_answer() {
        let time = StoreTime::new(Timestamp::from_millis(1_000));
        tokio::time::advance(Duration::from_micros(2_900)).await;
        assert_eq!(time.now(), Timestamp::from_millis(1_002));
        time.heard(Timestamp::from_millis(900));
        assert_eq!(time.now(), Timestamp::from_millis(900));
        assert_eq!(time.until(Timestamp::from_millis(950)), Duration::from_millis(50));
        assert_eq!(time.until(Timestamp::from_millis(1)), Duration::ZERO);
    }
}
