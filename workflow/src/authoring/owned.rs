//! What a step or group that is made in a closure takes along of the closure's own variables.
//!
//! Generated code writes `holding((owned(n),), |cx, kept| async { let (Kept { value: n, .. },) = identity(kept); … })`:
//! the block owns `n` and borrows the rest, which a `move` closure could not.

use std::fmt;

/// Says of a type `T` that a step made in a closure can take its values along. Implemented by [`TakenAlong`].
#[diagnostic::on_unimplemented(
    message = "a step made in a closure outlives the closure's variables, and a `{T}` cannot be copied into it",
    label = "neither borrowed nor moved: the closure ends before the step runs, and a body may run again",
    note = "make the step in an async block that owns it: `|item| async move {{ step!(..).await }}`",
    note = "or go over references: `items.iter()` instead of `items.into_iter()`",
    note = "see docs/CHECKS.md#steps"
)]
pub trait Owned<T> {
    /// The value, with how it is copied.
    fn keep(value: T) -> Kept<T>;
}

/// See [`Owned`].
#[derive(Debug)]
pub enum TakenAlong {}

#[diagnostic::do_not_recommend]
impl<T: Copy> Owned<T> for TakenAlong {
    fn keep(value: T) -> Kept<T> {
        Kept { value, copy: |value| *value }
    }
}

/// A value that is copied for each attempt.
///
/// It is `Clone` for every type, so that a value that cannot be taken along is reported where it is taken and nowhere
/// else; and not `Copy`, so that the block that is given one owns it.
pub struct Kept<T> {
    /// The value.
    pub value: T,
    copy: fn(&T) -> T,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { value: (self.copy)(&self.value), copy: self.copy }
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// The check that a value can be taken along: the one place where the compiler says that it cannot.
pub fn owned<T>(value: T) -> Kept<T>
where
    TakenAlong: Owned<T>,
{
    TakenAlong::keep(value)
}

/// A body that is given these values at each attempt.
pub fn holding<C, T: Clone, F, Fut>(kept: T, body: F) -> impl Fn(C) -> Fut
where
    F: Fn(C, T) -> Fut,
{
    move |cx| body(cx, kept.clone())
}
