//! Chance that can be repeated: a seed that is printed, and the numbers that follow from it.

use std::ops::Range;
use std::time::Duration;

/// The variable that repeats a random test.
const SEED_VARIABLE: &str = "SEED";

/// A generator whose numbers follow from its seed alone.
#[derive(Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// One with the seed that the environment gives, else a fresh one; printed, so that a failure can be repeated.
    #[must_use]
    pub fn new(test: &str) -> Self {
        Self::of(seed(test))
    }

    /// One with this seed, which another one gave.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number (SplitMix64).
    pub const fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, which is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// An index into something of `len` items, which is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.within(0..len as u64)).expect("an index fits")
    }

    /// A duration of the range, in milliseconds.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }
}

/// The seed that the environment gives, else a fresh one; printed, so that a failure can be repeated.
///
/// # Panics
/// When the environment gives one that is no number.
#[must_use]
pub fn seed(test: &str) -> u64 {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is a number")),
        Err(_) => fresh_seed(),
    };
    eprintln!("{test}: {SEED_VARIABLE}={seed}");
    seed
}

fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.subsec_nanos().into()
}
