//! Pauses between tries: each twice the one before up to a bound, and shortened at random so that many do not try at once.

use std::time::Duration;

use crate::words::id::random_u128;

/// The pauses of one sequence of tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Begins again with the first pause.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next pause: between half and the whole of its length.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(self.longest);
        jittered(pause)
    }

    /// Waits as long as [`Self::next`] says.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

/// Somewhere between none of `pause` and all of it: so that many who begin together do not end together.
pub(crate) fn spread(pause: Duration) -> Duration {
    let permille = u32::try_from(random_u128() % 1_001).expect("at most 1,000");
    pause * permille / 1_000
}

/// Between half of `pause` and all of it.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let percent = u32::try_from(random_u128() % 51).expect("at most 50");
    pause * (50 + percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
        for whole in [100, 200, 400, 400] {
            let pause = backoff.next();
            assert!(pause >= Duration::from_millis(whole / 2), "{pause:?}");
            assert!(pause <= Duration::from_millis(whole), "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
