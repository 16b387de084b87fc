//! Deterministic randomness: the same in every replay, from the seed of the instance.

use std::fmt;

use uuid::{Builder, Uuid};

use super::context::Ctx;
use super::durable::Durable;

/// A type that [`random`] can draw: integers, floats, `bool`, arrays and tuples of these.
///
/// How each is made of the bytes of a draw is fixed for ever: a replay years from now draws the same values.
#[diagnostic::on_unimplemented(
    message = "`random` cannot draw a `{Self}`",
    label = "draw an integer, a float in 0.0..1.0, a `bool`, or an array or tuple of these",
    note = "make what you need of a number: `items[random::<u32>().await as usize % items.len()]`"
)]
pub trait Random: Send + Sized + 'static {
    /// Makes a value of the next bytes.
    #[doc(hidden)]
    fn draw(from: &mut Draws<'_>) -> Self;
}

/// The bytes of a scope's stream, 32 at a time. What is left of a draw is not used for the next value.
pub struct Draws<'a> {
    next: &'a mut dyn FnMut() -> [u8; 32],
    bytes: [u8; 32],
    used: usize,
}

impl<'a> Draws<'a> {
    fn new(next: &'a mut dyn FnMut() -> [u8; 32]) -> Self {
        Self { next, bytes: [0; 32], used: 32 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.bytes.len() {
            self.bytes = (self.next)();
            self.used = 0;
        }
        self.used += 1;
        self.bytes[self.used - 1]
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }
}

impl fmt::Debug for Draws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draws").field("used", &self.used).finish_non_exhaustive()
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        #[diagnostic::do_not_recommend]
        impl Random for $type {
            fn draw(from: &mut Draws<'_>) -> Self {
                Self::from_le_bytes(from.take())
            }
        }
    )+};
}

integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

#[diagnostic::do_not_recommend]
impl Random for bool {
    fn draw(from: &mut Draws<'_>) -> Self {
        from.byte() & 1 == 1
    }
}

#[diagnostic::do_not_recommend]
impl Random for f64 {
    /// At least 0.0, less than 1.0: 53 bits.
    fn draw(from: &mut Draws<'_>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a float of 64")]
        let bits = (u64::draw(from) >> 11) as Self;
        bits / 9_007_199_254_740_992.0
    }
}

#[diagnostic::do_not_recommend]
impl Random for f32 {
    /// At least 0.0, less than 1.0: 24 bits.
    fn draw(from: &mut Draws<'_>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "24 bits are exact in a float of 32")]
        let bits = (u32::draw(from) >> 8) as Self;
        bits / 16_777_216.0
    }
}

#[diagnostic::do_not_recommend]
impl<T: Random, const N: usize> Random for [T; N] {
    fn draw(from: &mut Draws<'_>) -> Self {
        std::array::from_fn(|_| T::draw(from))
    }
}

#[diagnostic::do_not_recommend]
impl<A: Random, B: Random> Random for (A, B) {
    fn draw(from: &mut Draws<'_>) -> Self {
        (A::draw(from), B::draw(from))
    }
}

/// A random value: see [`random`].
#[must_use = "must be awaited: `random::<T>().await`"]
pub struct RandomToAwaitInWorkflow<T>(fn(&mut Draws<'_>) -> T);

/// A random value that is the same in every replay of this run: an integer over its whole range, a float at least 0.0
/// and less than 1.0, a `bool`, or an array or pair of these. Not for secrets: it follows from the instance's seed.
pub const fn random<T: Random>() -> RandomToAwaitInWorkflow<T> {
    RandomToAwaitInWorkflow(T::draw)
}

#[diagnostic::do_not_recommend]
impl<T: Send> Durable for RandomToAwaitInWorkflow<T> {
    type Output = T;

    async fn run(self, cx: Ctx) -> T {
        draw(&cx, self.0)
    }
}

/// A random UUID: see [`uuid()`].
#[derive(Debug, Clone, Copy)]
#[must_use = "must be awaited: `uuid().await`"]
pub struct UuidToAwaitInWorkflow(());

/// A random UUID (version 4) that is the same in every replay of this run.
pub const fn uuid() -> UuidToAwaitInWorkflow {
    UuidToAwaitInWorkflow(())
}

#[diagnostic::do_not_recommend]
impl Durable for UuidToAwaitInWorkflow {
    type Output = Uuid;

    async fn run(self, cx: Ctx) -> Uuid {
        Builder::from_random_bytes(draw(&cx, Random::draw)).into_uuid()
    }
}

fn draw<T>(cx: &Ctx, from: fn(&mut Draws<'_>) -> T) -> T {
    from(&mut Draws::new(&mut || cx.run().machine(|machine| machine.draw(cx.scope()))))
}

impl<T> fmt::Debug for RandomToAwaitInWorkflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomToAwaitInWorkflow")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_counter<T: Random>() -> T {
        let mut draws = 0_u8;
        T::draw(&mut Draws::new(&mut || {
            draws += 1;
            std::array::from_fn(|index| u8::try_from(index).expect("32 bytes") + (draws - 1) * 32)
        }))
    }

    #[test]
    fn values_are_made_of_bytes_in_a_way_that_never_changes() {
        assert_eq!(from_counter::<u8>(), 0);
        assert_eq!(from_counter::<u32>(), 0x0302_0100);
        assert_eq!(from_counter::<i64>(), 0x0706_0504_0302_0100);
        assert_eq!(from_counter::<u128>(), 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);
        assert_eq!(from_counter::<[bool; 4]>(), [false, true, false, true]);
        assert_eq!(from_counter::<f64>().to_bits(), 0x3f9c_1814_100c_0800);
        assert_eq!(from_counter::<f32>().to_bits(), 0x3c40_8040);
        assert_eq!(from_counter::<(u16, u16)>(), (0x0100, 0x0302));
        let long = from_counter::<[u8; 70]>();
        assert!(long.iter().enumerate().all(|(index, byte)| usize::from(*byte) == index));
    }
}
