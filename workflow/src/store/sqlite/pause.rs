//! Waiting for a lock that another connection holds: short, growing, jittered pauses.
//!
//! SQLite's own busy handler sleeps in fixed steps, so two processes that collide once go on colliding; jitter lets
//! each through. Owns no lock itself. Used wherever SQLite can answer "busy".

use std::time::Duration;

use crate::words::id::random_u128;

const SHORTEST: Duration = Duration::from_micros(60);
const LONGEST: Duration = Duration::from_millis(5);

/// The pauses of one attempt to get a lock.
#[derive(Debug)]
pub(super) struct Pauses {
    bits: u64,
    next: Duration,
    slept: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        let wide = random_u128();
        Self { bits: u64::try_from(wide >> 64).expect("64 bits") | 1, next: SHORTEST, slept: Duration::ZERO }
    }

    /// Sleeps a little, longer each time.
    #[expect(clippy::disallowed_methods, reason = "a thread of the store's own, and SQLite tells nobody of free locks")]
    pub(super) fn sleep(&mut self) {
        let step = self.step();
        self.slept += step;
        std::thread::sleep(step);
    }

    /// How long all the pauses were.
    pub(super) const fn slept(&self) -> Duration {
        self.slept
    }

    fn step(&mut self) -> Duration {
        // Xorshift: cheap, and good enough to keep two processes out of step.
        self.bits ^= self.bits << 13;
        self.bits ^= self.bits >> 7;
        self.bits ^= self.bits << 17;
        let most = self.next;
        self.next = (most * 2).min(LONGEST);
        let sixteenths = u32::try_from(self.bits % 16).expect("less than sixteen");
        most / 2 + most * sixteenths / 32
    }
}

/// Leaves the lock free for a moment in which another connection's next try falls.
#[expect(clippy::disallowed_methods, reason = "a thread of the store's own")]
pub(super) fn give_way() {
    std::thread::sleep(SHORTEST * 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut pauses = Pauses::new();
        let steps: Vec<Duration> = (0..64).map(|_| pauses.step()).collect();
        assert!(steps[0] < SHORTEST && steps[0] >= SHORTEST / 2);
        assert!(steps.iter().all(|step| *step < LONGEST));
        let last = &steps[32..];
        assert!(last.iter().all(|step| *step >= LONGEST / 2));
        assert!(last.iter().any(|step| *step != last[0]), "without jitter two processes stay in step");
    }
}
