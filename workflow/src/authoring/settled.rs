//! Values that come from outside of the run, refused by type.
//!
//! Generated code probes what could be one. As with [`super::ordered`], the probe's method for the types listed here is an
//! inherent one with a bound that nothing meets, and for all others [`AnyPlace`]'s, which does nothing. It goes by type
//! because names prove nothing: `Clock::now()` may be the standard library's under another name, and `Command::new(..)`
//! the user's own.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    AtomicUsize,
};
use std::sync::{Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc};
use std::thread::LocalKey;
use std::time::{Instant, SystemTime};
use std::{fs, process};

use super::probe::Probe;

/// What nothing implements: the words of a refusal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` comes from outside of the workflow, another one in each replay",
    label = "a replay could take another path",
    note = "for the time use `workflow::now().await`; move anything else into a `step!`",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement"
)]
pub trait Settled {}

/// What is made by looking at the world.
pub trait Outside {
    /// As it is named in the refusal.
    type Named;
}

/// What nothing implements: the words of a refusal.
#[diagnostic::on_unimplemented(
    message = "the `{Self}` of a static is shared by all that runs in this process",
    label = "a replay could find another value in it",
    note = "keep the state in the workflow's own variables, or take it as an input",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement"
)]
pub trait Unshared {}

/// What changes behind a shared reference.
pub trait Shared {
    /// As it is named in the refusal.
    type Named: ?Sized;
}

/// What nothing implements: the words of a refusal.
#[diagnostic::on_unimplemented(
    message = "`elapsed` of `{Self}` reads the clock, so a replay could take another path",
    label = "reads the clock",
    note = "compare it with `workflow::now().await`",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement"
)]
pub trait Timeless {}

/// What measures from itself to now.
pub trait Measuring {}

/// The same methods for every other type.
pub trait AnyPlace {
    /// What the probe holds.
    type Inner;

    /// The value itself.
    fn settled(self) -> Self::Inner;

    /// The value itself.
    fn unshared(self) -> Self::Inner;

    /// The value itself.
    fn timeless(self) -> Self::Inner;
}

impl<T> AnyPlace for Probe<T> {
    type Inner = T;

    fn settled(self) -> T {
        self.0
    }

    fn unshared(self) -> T {
        self.0
    }

    fn timeless(self) -> T {
        self.0
    }
}

impl Measuring for Instant {}
impl Measuring for SystemTime {}

impl<T: Outside, E> Outside for Result<T, E> {
    type Named = T::Named;
}

macro_rules! outside {
    ($($type:ty),+) => {$(impl Outside for $type { type Named = Self; })+};
}

outside!(Instant, SystemTime, fs::File, fs::OpenOptions, process::Command);

macro_rules! shared {
    ($([$($generics:tt)*] $type:ty;)+) => {$(
        impl<$($generics)*> Shared for $type {
            type Named = Self;
        }
    )+};
}

shared! {
    [] AtomicBool;
    [] AtomicI8;
    [] AtomicI16;
    [] AtomicI32;
    [] AtomicI64;
    [] AtomicIsize;
    [] AtomicU8;
    [] AtomicU16;
    [] AtomicU32;
    [] AtomicU64;
    [] AtomicUsize;
    [] Condvar;
    [] Once;
    [T] Cell<T>;
    [T] LocalKey<T>;
    [T] Mutex<T>;
    [T] OnceCell<T>;
    [T] OnceLock<T>;
    [T] RefCell<T>;
    [T] RwLock<T>;
    [T] mpsc::Receiver<T>;
    [T] mpsc::Sender<T>;
}

/// A table that is computed once is no state; what changes behind it is.
impl<T: Shared, F> Shared for LazyLock<T, F> {
    type Named = T::Named;
}
