//! Where chance comes from: the operating system, or, in a simulation, a seed.
//!
//! Ids, seeds and pauses are drawn here and nowhere else. Which source a thread has is the thread's own, so that what a
//! simulation on one thread repeats touches no other.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    /// The state of this thread's generator, while it has one.
    static REPEATED: Cell<Option<u128>> = const { Cell::new(None) };
}

/// So many numbers of 128 random bits.
///
/// # Panics
/// When the operating system has no source of randomness.
pub(super) fn draw<const COUNT: usize>() -> [u128; COUNT] {
    if is_repeated() {
        return std::array::from_fn(|_| next());
    }
    let mut bytes = [[0; 16]; COUNT];
    getrandom::fill(bytes.as_flattened_mut()).expect("the operating system has a source of randomness");
    bytes.map(u128::from_be_bytes)
}

/// Whether what this thread draws follows from a seed.
pub(super) fn is_repeated() -> bool {
    REPEATED.get().is_some()
}

/// The next number of this thread's generator: two of SplitMix64, whose states are the halves of the state here.
fn next() -> u128 {
    let state = REPEATED.get().unwrap_or_default();
    let (high, low) = (half(state, 64).wrapping_add(STEP), half(state, 0).wrapping_add(STEP));
    REPEATED.set(Some(u128::from(high) << 64 | u128::from(low)));
    u128::from(mixed(high)) << 64 | u128::from(mixed(low))
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

#[expect(clippy::cast_possible_truncation, reason = "a half is what is wanted")]
const fn half(state: u128, shift: u32) -> u64 {
    (state >> shift) as u64
}

const fn mixed(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// While this lives, everything that this thread draws follows from a seed: the same program, run again on a thread of the
/// same seed, draws the same. For simulations only: whoever knows the seed knows every id.
#[derive(Debug)]
#[must_use = "it repeats nothing once it is dropped"]
pub struct Repeated {
    before: Option<u128>,
    /// It is of this thread.
    _here: PhantomData<*const ()>,
}

impl Repeated {
    /// From here on this thread draws what follows from `seed`.
    pub fn from(seed: u64) -> Self {
        let state = u128::from(mixed(seed)) << 64 | u128::from(mixed(!seed));
        Self { before: REPEATED.replace(Some(state)), _here: PhantomData }
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        REPEATED.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::id::{RequestId, random_u128};

    fn drawn() -> [u128; 4] {
        [random_u128(), RequestId::generate().0, random_u128(), RequestId::generate().0]
    }

    #[test]
    fn what_is_drawn_follows_from_the_seed_while_it_lives_and_not_after() {
        let of = |seed| {
            let _repeated = Repeated::from(seed);
            drawn()
        };
        // Some request ids of the operating system are drawn ahead: they must not come in between.
        let before = drawn();
        let one = of(1);
        assert_eq!(one, of(1));
        assert_ne!(one, of(2));
        let all: std::collections::BTreeSet<u128> = [before, one, of(2), drawn()].into_iter().flatten().collect();
        assert_eq!(all.len(), 16, "nothing comes twice");
    }
}
