//! What a durable operation is, and how generated code awaits one.
//!
//! A durable operation is deliberately not a `Future`: only the `.await` that `#[workflow]` has rewritten can turn it
//! into one, so `tokio::join!`, `tokio::spawn` and friends refuse it by type, and no context has to be passed by hand.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Ctx;

/// A boxed future.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An operation that a workflow can await: its outcome is recorded, and every replay sees the same one.
#[diagnostic::on_unimplemented(
    message = "`.await` on a future that is not durable, inside a workflow",
    label = "this would run again on every replay: put it in a step",
    note = "write `step!(\"a name\", <this future>).await` to run it once and record its result",
    note = "a workflow can await: `step!`, `group!`, `sleep`, `wait_for`, another `#[workflow]`, `join!`/`race!` of those, and helpers marked `#[part]`"
)]
pub trait Durable: Sized {
    /// What awaiting it gives.
    type Output: Send;

    /// The operation as a future of the run behind `cx`. Called by generated code; it is asked for at its first poll.
    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send;
}

/// A value that can be kept in the journal: the result of a step, group or child, a typed error.
#[diagnostic::on_unimplemented(
    message = "the result of a step must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`, or return only the part of it you need"
)]
pub trait Recordable: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Recordable for T {}

/// The check that something awaited in a workflow is durable: the one place where the compiler says it is not.
pub const fn durable<F: Durable>(operation: F) -> F {
    operation
}

/// Generated code drives what it has checked through this: when the check failed, [`Fallback`] lets the type pass, so
/// that one mistake makes one message.
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

/// See [`Probe`].
pub trait Fallback {
    /// What the probe holds.
    type Inner;

    /// The value itself, which is no durable operation: the check has said so.
    fn drive(self, cx: &Ctx) -> Self::Inner;

    /// The value in the place of an operand.
    fn operand(self) -> Assumed<Self::Inner>;
}

impl<F> Fallback for Probe<F> {
    type Inner = F;

    fn drive(self, _cx: &Ctx) -> F {
        self.0
    }

    fn operand(self) -> Assumed<F> {
        Assumed(self.0)
    }
}

/// A future in the place of a durable operand, after the check has said that it is none: it never comes to run.
#[derive(Debug)]
pub struct Assumed<F>(F);

#[diagnostic::do_not_recommend]
impl<F: Future<Output: Send> + Send> Durable for Assumed<F> {
    type Output = F::Output;

    fn run(self, _cx: Ctx) -> impl Future<Output = F::Output> + Send {
        self.0
    }
}

/// An async block of a workflow, whose awaits have been rewritten.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct Block<F>(pub F);

#[diagnostic::do_not_recommend]
impl<F: Future<Output: Send> + Send> Durable for Block<F> {
    type Output = F::Output;

    fn run(self, _cx: Ctx) -> impl Future<Output = F::Output> + Send {
        self.0
    }
}
