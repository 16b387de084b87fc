//! Iteration whose order differs from run to run, refused by type.
//!
//! Generated code probes heads of `for` and iterator methods: `Probe(head).ordered()`. For the unordered collections of
//! the standard library that is an inherent method with a bound that nothing meets (the bound is on the method: one on
//! the `impl` would only hide it); for everything else it is [`AnyOrder`]'s, which does nothing.

use std::collections::{HashMap, HashSet, hash_map, hash_set};

use super::probe::Probe;

/// What nothing implements: the words of the refusal.
#[diagnostic::on_unimplemented(
    message = "the iteration order of `{Self}` differs from run to run",
    label = "a replay would go through it in another order",
    note = "use a `BTreeMap` or `BTreeSet`, or collect it into one: `.collect::<BTreeMap<_, _>>()`",
    note = "where the order cannot change the outcome, put `#[allow_nondeterminism]` on the statement",
    note = "see docs/CHECKS.md#order"
)]
pub trait Ordered {}

/// What is iterated over in an order of its own each time.
pub trait Unordered {
    /// The collection, as it is named in the refusal.
    type Collection;
}

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

impl<C: Unordered> Unordered for &C {
    type Collection = C::Collection;
}

impl<C: Unordered> Unordered for &mut C {
    type Collection = C::Collection;
}

impl<K, V, S> Unordered for HashMap<K, V, S> {
    type Collection = Self;
}

impl<T, S> Unordered for HashSet<T, S> {
    type Collection = Self;
}

macro_rules! iterators {
    ($([$($generics:tt)*] $iterator:ty, of $collection:ty;)+) => {$(
        impl<$($generics)*> Unordered for $iterator {
            type Collection = $collection;
        }
    )+};
}

iterators! {
    [K, V] hash_map::Iter<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::IterMut<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::Keys<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::Values<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::ValuesMut<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::Drain<'_, K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoIter<K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoKeys<K, V>, of HashMap<K, V>;
    [K, V] hash_map::IntoValues<K, V>, of HashMap<K, V>;
    [T] hash_set::Iter<'_, T>, of HashSet<T>;
    [T] hash_set::Drain<'_, T>, of HashSet<T>;
    [T] hash_set::IntoIter<T>, of HashSet<T>;
    [T, S] hash_set::Difference<'_, T, S>, of HashSet<T>;
    [T, S] hash_set::Intersection<'_, T, S>, of HashSet<T>;
    [T, S] hash_set::SymmetricDifference<'_, T, S>, of HashSet<T>;
    [T, S] hash_set::Union<'_, T, S>, of HashSet<T>;
}
