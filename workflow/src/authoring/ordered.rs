//! Iteration whose order differs from run to run, refused by type.
//!
//! Generated code probes heads of `for` and iterator methods: `Probe(head).ordered()`. For the unordered collections of
//! the standard library that is an inherent method with a bound that nothing meets (the bound is on the method: one on
//! the `impl` would only hide it); for everything else it is [`AnyOrder`]'s, which does nothing.

use std::collections::{HashMap, HashSet, hash_map, hash_set};

use super::durable::Probe;

/// What nothing implements: the words of the refusal.
#[diagnostic::on_unimplemented(
    message = "the iteration order of `{Self}` differs from run to run",
    label = "a replay would go through it in another order",
    note = "use a `BTreeMap` or `BTreeSet`, or collect it into one: `.collect::<BTreeMap<_, _>>()`",
    note = "where the order cannot change the outcome, put `#[allow_nondeterminism]` on the statement"
)]
pub trait Ordered {}

/// `ordered` for every type that has an order, or whose order is not known here.
pub trait AnyOrder {
    /// What the probe holds.
    type Inner;

    /// The value itself.
    fn ordered(self) -> Self::Inner;
}

impl<T> AnyOrder for Probe<T> {
    type Inner = T;

    fn ordered(self) -> T {
        self.0
    }
}

macro_rules! unordered {
    ($([$($generics:tt)*] $iterated:ty, of $collection:ty;)+) => {$(
        impl<$($generics)*> Probe<$iterated> {
            /// Cannot be called: see [`Ordered`].
            pub fn ordered(self) -> $iterated
            where
                $collection: Ordered,
            {
                self.0
            }
        }
    )+};
}

unordered! {
    [K, V, S] HashMap<K, V, S>, of HashMap<K, V, S>;
    ['a, K, V, S] &'a HashMap<K, V, S>, of HashMap<K, V, S>;
    ['a, K, V, S] &'a mut HashMap<K, V, S>, of HashMap<K, V, S>;
    [T, S] HashSet<T, S>, of HashSet<T, S>;
    ['a, T, S] &'a HashSet<T, S>, of HashSet<T, S>;
    ['a, K, V] hash_map::Iter<'a, K, V>, of HashMap<K, V>;
    ['a, K, V] hash_map::IterMut<'a, K, V>, of HashMap<K, V>;
    ['a, K, V] hash_map::Keys<'a, K, V>, of HashMap<K, V>;
    ['a, K, V] hash_map::Values<'a, K, V>, of HashMap<K, V>;
    ['a, K, V] hash_map::ValuesMut<'a, K, V>, of HashMap<K, V>;
    ['a, K, V] hash_map::Drain<'a, K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoIter<K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoKeys<K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoValues<K, V>, of HashMap<K, V>;
    ['a, T] hash_set::Iter<'a, T>, of HashSet<T>;
    ['a, T] hash_set::Drain<'a, T>, of HashSet<T>;
    [T] hash_set::IntoIter<T>, of HashSet<T>;
}
