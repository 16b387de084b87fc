//! The store's time between two answers: bounds, so that nothing that waits for a time is ever early.
//!
//! What is due is judged by the lower bound; what begins is counted from the upper one.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::meter;
use super::supervise::lock;
use crate::authoring::run::StoreClock;
use crate::words::time::Timestamp;

/// What is known of the store's clock. It said a time between the question and the answer; since then as much time has
/// passed as the monotonic clock of this machine shows.
#[derive(Debug)]
pub(crate) struct StoreTime {
    newest: Mutex<Answer>,
    began: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    asked: Instant,
    said: Timestamp,
    received: Instant,
}

impl StoreTime {
    /// From a first answer that came just now.
    pub(crate) fn new(asked: Instant, said: Timestamp) -> Self {
        let received = Instant::now();
        Self { newest: Mutex::new(Answer { asked, said, received }), began: received }
    }

    /// An answer that came just now says that it is this time. The newest answer counts, so that a store whose clock was
    /// set back is followed.
    pub(crate) fn heard(&self, asked: Instant, said: Timestamp) {
        *lock(&self.newest) = Answer { asked, said, received: Instant::now() };
    }

    /// The store's time is this or later.
    pub(crate) fn now(&self) -> Timestamp {
        lock(&self.newest).earliest()
    }

    /// How long until the estimate reaches `time`.
    pub(crate) fn until(&self, time: Timestamp) -> Duration {
        let Answer { said, received, .. } = *lock(&self.newest);
        time.until(said).saturating_sub(received.elapsed())
    }
}

impl StoreClock for StoreTime {
    fn bounds(&self) -> (Timestamp, Timestamp) {
        let newest = *lock(&self.newest);
        // The store says whole milliseconds, rounded down.
        let latest = newest.said.shifted(1).after(newest.asked.elapsed());
        (newest.earliest(), latest)
    }

    fn stopwatch(&self) -> Option<Duration> {
        meter::ON.then(|| self.began.elapsed())
    }
}

impl Answer {
    fn earliest(&self) -> Timestamp {
        // Rounded down: a whole millisecond must have passed to count.
        self.said.shifted(i64::try_from(self.received.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bounds_hold_whenever_the_store_looked_at_its_clock() {
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(40)).await;
        let time = StoreTime::new(asked, Timestamp::from_millis(1_000));
        tokio::time::advance(Duration::from_micros(2_900)).await;
        // It looked just before its answer came, at 1,000.0 ms, or just after it was asked, at 1,000.9.
        assert_eq!(time.bounds(), (Timestamp::from_millis(1_002), Timestamp::from_millis(1_044)));
        assert_eq!(time.now(), Timestamp::from_millis(1_002));
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_answer_counts() {
        let time = StoreTime::new(Instant::now(), Timestamp::from_millis(1_000));
        time.heard(Instant::now(), Timestamp::from_millis(900));
        assert_eq!(time.now(), Timestamp::from_millis(900));
        assert_eq!(time.until(Timestamp::from_millis(950)), Duration::from_millis(50));
        assert_eq!(time.until(Timestamp::from_millis(1)), Duration::ZERO);
    }
}
