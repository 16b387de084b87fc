//! What a durable operation is, and how generated code awaits one.
//!
//! A durable operation is deliberately not a `Future`: only the `.await` that `#[workflow]` has rewritten can turn it
//! into one, so `tokio::join!`, `tokio::spawn` and friends refuse it by type, and no context has to be passed by hand.

use std::future::{Future, Ready};
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Ctx;
use super::probe::Probe;

/// A boxed future.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An operation that a workflow can await: its outcome is recorded, and every replay sees the same one.
#[diagnostic::on_unimplemented(
    message = "`.await` on a future that is not durable, inside a workflow",
    label = "this would run again on every replay: put it in a step",
    note = "write `step!(\"a name\", <this future>).await` to run it once and record its result",
    note = "a workflow can await: `step!`, `group!`, `sleep`, `wait_for`, another `#[workflow]`, `join!`/`race!` of those, and helpers marked `#[part]`",
    note = "see docs/CHECKS.md#awaits"
)]
pub trait Durable: Sized {
    /// What awaiting it gives.
    type Output: Send;

    /// The operation as a future of the run behind `cx`. Called by generated code; it is asked for at its first poll.
    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send;
}

/// A value that can be kept in the journal: the result of a step, group or child, a typed error.
#[diagnostic::on_unimplemented(
    message = "the result of a step or group must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}` if it is yours, or return only the part of it you need"
)]
pub trait Recordable: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Recordable for T {}

/// The check that something awaited in a workflow is durable: the one place where the compiler says it is not.
pub const fn durable<F: Durable>(operation: F) -> F {
    operation
}

/// What may be handed a resource outside of a step: what is recorded itself.
#[diagnostic::on_unimplemented(
    message = "a resource is used outside of a step: in a replay it may be another one",
    label = "this uses a resource, and what it gives is not recorded",
    note = "call it in the body of a `step!`, or make it a `#[part]`; what decides the workflow's path belongs into its input",
    note = "see docs/CHECKS.md#resources"
)]
pub trait PassedOn {}

#[diagnostic::do_not_recommend]
impl<F: Durable> PassedOn for F {}

/// The check that what is handed a resource is durable.
pub const fn passed_on<F: PassedOn>(operation: F) -> F {
    operation
}

/// The check that all of a collection is durable.
pub const fn durable_all<I>(operations: I) -> I
where
    I: IntoIterator<Item: Durable>,
{
    operations
}

/// See [`Probe`]: for a future that is not durable.
pub trait Fallback {
    /// What the probe holds.
    type Inner;

    /// The value itself, which is no durable operation: the check has said so.
    fn drive(self, cx: &Ctx) -> Self::Inner;

    /// The value in the place of an operand.
    fn operand(self) -> Assumed<Self::Inner>;
}

impl<F: Future> Fallback for Probe<F> {
    type Inner = F;

    fn drive(self, _cx: &Ctx) -> F {
        self.0
    }

    fn operand(self) -> Assumed<F> {
        Assumed(self.0)
    }
}

/// See [`Probe`]: for a collection of futures that are not durable.
pub trait FallbackAll {
    /// What the collection holds.
    type Item;

    /// The values in the place of operands.
    fn operands(self) -> impl Iterator<Item = Assumed<Self::Item>>;
}

impl<I: IntoIterator<Item: Future>> FallbackAll for Probe<I> {
    type Item = I::Item;

    fn operands(self) -> impl Iterator<Item = Assumed<I::Item>> {
        self.0.into_iter().map(Assumed)
    }
}

/// See [`Probe`]: for what is no future at all. By reference, so that the others come first.
pub trait NoFuture: Sized {
    /// Something of any type that is expected.
    fn drive<T>(self, _cx: &Ctx) -> Ready<T> {
        unreachable!("what the check has refused is never built")
    }

    /// The same in the place of an operand.
    fn operand<T>(self) -> Assumed<Ready<T>> {
        unreachable!("what the check has refused is never built")
    }

    /// The same in the place of a collection of operands.
    fn operands<T>(self) -> [Assumed<Ready<T>>; 0] {
        []
    }
}

impl<F> NoFuture for &Probe<F> {}

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

/// Taken by whatever takes operations, and by no other library's fn of the same name: its own name is what the compiler says
/// of it then. It never runs.
#[derive(Debug)]
pub struct UseTheOneOfTheWorkflowPrelude;

#[diagnostic::do_not_recommend]
impl Durable for UseTheOneOfTheWorkflowPrelude {
    type Output = Result<(), ()>;

    async fn run(self, _cx: Ctx) -> Result<(), ()> {
        Ok(())
    }
}
