//! What generated code puts around a value to ask for its type.
//!
//! The inherent methods are for the types that a rule knows. Where a bound on the `impl` does not hold, a trait of the same
//! method takes over ([`Fallback`](super::durable::Fallback), [`AnyOrder`](super::ordered::AnyOrder),
//! [`AnyPlace`](super::settled::AnyPlace)) and the value passes; where a bound on the method itself does not hold, the
//! compiler says so in the words of that bound's trait. All stand here because messages name the module of an `impl`.

use super::context::Ctx;
use super::durable::{BoxFuture, Durable};
use super::ordered::{Ordered, Unordered};
use super::settled::{Clockless, Measuring, Outside, Recorded, Secluded, Shared, Time, Timeless, Unshared};

/// Generated code drives what it has checked through this: when the check failed, the type passes all the same, so that
/// one mistake makes one message.
#[derive(Debug)]
pub struct Probe<F>(pub F);

impl<F: Durable> Probe<F> {
    /// The operation's future. Boxed: the workflow's own future stays small, and its `Send` proof ends here.
    ///
    /// Never inlined: it is called for every await, and is the same for all of one type.
    #[inline(never)]
    pub fn drive<'f>(self, cx: &Ctx) -> BoxFuture<'f, F::Output>
    where
        F: 'f,
    {
        Box::pin(self.0.run(cx.clone()))
    }

    /// The operation itself, as an operand of a join, race or timeout.
    pub fn operand(self) -> F {
        self.0
    }
}

impl<I: IntoIterator<Item: Durable>> Probe<I> {
    /// The operations themselves, as operands of a join.
    pub fn operands(self) -> I {
        self.0
    }
}

impl<T: Unordered> Probe<T> {
    /// Cannot be called: see [`Ordered`].
    pub fn ordered(self) -> T
    where
        T::Collection: Ordered,
    {
        self.0
    }
}

impl<T: Time> Probe<T> {
    /// Cannot be called: see [`Time`].
    pub fn timed(self) -> T
    where
        T: Clockless,
    {
        self.0
    }
}

impl<T: Outside> Probe<T> {
    /// Cannot be called: see [`Outside`].
    pub fn settled(self) -> T
    where
        T::Clock: Clockless,
        T::World: Secluded,
        T::Work: Recorded,
    {
        self.0
    }
}

impl<'a, T: Shared> Probe<&'a T> {
    /// Cannot be called: see [`Unshared`].
    pub const fn unshared(self) -> &'a T
    where
        T::Named: Unshared,
    {
        self.0
    }
}

impl<'a, T: Measuring> Probe<&'a T> {
    /// Cannot be called: see [`Timeless`].
    pub const fn timeless(self) -> &'a T
    where
        T: Timeless,
    {
        self.0
    }
}
