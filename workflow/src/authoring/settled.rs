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
use std::{env, fs, io, net, process, thread};

use tokio::{runtime, sync, task};
use uuid::Uuid;

use super::probe::Probe;

/// What is made by looking at the world, or by acting on it. Of its three kinds it is one; for the others it says [`Fine`].
pub trait Outside {
    /// What reads the clock, as it is named in the refusal.
    type Clock;
    /// What touches the world.
    type World;
    /// What works beside the workflow.
    type Work;
}

/// What can be converted to a time, whatever library it is of.
pub trait Time {}
#[diagnostic::do_not_recommend]
impl<T: Into<SystemTime>> Time for T {}

/// Nothing to refuse.
#[derive(Debug)]
pub struct Fine;

/// The words of a refusal: only [`Fine`] has it.
#[diagnostic::on_unimplemented(
    message = "this reads the clock, so a replay could take another path",
    label = "gives another `{Self}` in each replay",
    note = "use `workflow::now().await`, or move it into a `step!`",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement",
    note = "see docs/CHECKS.md#outside"
)]
pub trait Clockless {}
#[diagnostic::do_not_recommend]
impl Clockless for Fine {}

/// The words of a refusal: only [`Fine`] has it.
#[diagnostic::on_unimplemented(
    message = "this touches the world outside of the workflow, again in each replay",
    label = "gives another `{Self}` in each replay",
    note = "move it into a `step!`; for an id use `workflow::uuid().await`; what it only looks up can be an input",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement",
    note = "see docs/CHECKS.md#outside"
)]
pub trait Secluded {}
#[diagnostic::do_not_recommend]
impl Secluded for Fine {}

/// The words of a refusal: only [`Fine`] has it.
#[diagnostic::on_unimplemented(
    message = "this works beside the workflow, where nothing is recorded",
    label = "a crash loses it and a replay starts it again: a `{Self}`",
    note = "for work side by side use `join!` or `join_all(..)`; to be told something, `wait_for(..)` an event",
    note = "see docs/CHECKS.md#outside"
)]
pub trait Recorded {}
#[diagnostic::do_not_recommend]
impl Recorded for Fine {}

/// What nothing implements: the words of a refusal.
#[diagnostic::on_unimplemented(
    message = "the `{Self}` of a static is shared by all that runs in this process",
    label = "a replay could find another value in it",
    note = "keep the state in the workflow's own variables, or take it as an input",
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement",
    note = "see docs/CHECKS.md#shared"
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
    note = "where it cannot change the outcome, put `#[allow_nondeterminism]` on the statement",
    note = "see docs/CHECKS.md#outside"
)]
pub trait Timeless {}

/// What measures from itself to now.
pub trait Measuring {}

/// The same methods for every other type.
pub trait AnyPlace {
    /// What the probe holds.
    type Inner;

    /// The value itself.
    fn timed(self) -> Self::Inner;

    /// The value itself.
    fn settled(self) -> Self::Inner;

    /// The value itself.
    fn unshared(self) -> Self::Inner;

    /// The value itself.
    fn timeless(self) -> Self::Inner;
}

impl<T> AnyPlace for Probe<T> {
    type Inner = T;

    fn timed(self) -> T {
        self.0
    }

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
impl<T: Measuring, F> Measuring for LazyLock<T, F> {}

impl<T: Outside, E> Outside for Result<T, E> {
    type Clock = T::Clock;
    type World = T::World;
    type Work = T::Work;
}

macro_rules! outside {
    ($clock:ident, $world:ident, $work:ident: $([$($generics:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($generics)*> Outside for $type {
            type Clock = outside!($clock);
            type World = outside!($world);
            type Work = outside!($work);
        }
    )+};
    (fine) => { Fine };
    (this) => { Self };
}

// `SystemTime` is a [`Time`].
outside!(this, fine, fine: [] Instant);

outside!(fine, this, fine:
    [] fs::File,
    [] fs::OpenOptions,
    [] process::Command,
    [] net::TcpStream,
    [] net::TcpListener,
    [] net::UdpSocket,
    [] env::Args,
    [] env::ArgsOs,
    [] env::Vars,
    [] env::VarsOs,
    [] Result<String, env::VarError>,
    [] io::Stdin,
    [] thread::Thread,
    [] Uuid,
);

outside!(fine, fine, this:
    [T] thread::JoinHandle<T>,
    [T] task::JoinHandle<T>,
    [T] task::JoinSet<T>,
    [] task::LocalSet,
    [] runtime::Runtime,
    [] runtime::Handle,
    [T] (mpsc::Sender<T>, mpsc::Receiver<T>),
    [T] (mpsc::SyncSender<T>, mpsc::Receiver<T>),
    [T] (sync::mpsc::Sender<T>, sync::mpsc::Receiver<T>),
    [T] (sync::mpsc::UnboundedSender<T>, sync::mpsc::UnboundedReceiver<T>),
    [T] (sync::oneshot::Sender<T>, sync::oneshot::Receiver<T>),
    [T] (sync::broadcast::Sender<T>, sync::broadcast::Receiver<T>),
    [T] (sync::watch::Sender<T>, sync::watch::Receiver<T>),
);

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
