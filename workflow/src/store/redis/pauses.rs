//! Pauses between tries to connect: longer each time, and shortened at random so that workers do not try all at once.

use std::time::Duration;

use crate::words::id::random_u128;

/// The first pause; the try before it is made at once.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST: Duration = Duration::from_secs(2);

/// The pauses of one sequence of tries.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) const fn new() -> Self {
        Self { next: SHORTEST }
    }

    /// Begins again with the shortest.
    pub(super) const fn reset(&mut self) {
        self.next = SHORTEST;
    }

    /// How long to wait: between half and the whole of a length that doubles.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let percent = u32::try_from(random_u128() % 51).expect("at most 50");
        whole * (50 + percent) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_again() {
        let mut pauses = Pauses::new();
        for whole in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            let pause = pauses.next();
            assert!(pause >= Duration::from_millis(whole / 2), "{whole}: {pause:?}");
            assert!(pause <= Duration::from_millis(whole), "{whole}: {pause:?}");
        }
        pauses.reset();
        assert!(pauses.next() <= SHORTEST);
    }
}
