//! A time limit around any durable operation.

use std::fmt;
use std::future::Future;
use std::panic::Location as Caller;
use std::time::Duration;

use super::branches::{Branch, Branches};
use super::context::Ctx;
use super::durable::Durable;
use super::operation::{Label, Operation};
use super::sleep::caller;
use crate::error::TimedOut;
use crate::journal::machine::Ask;
use crate::journal::path::Kind;
use crate::words::location::Location;

/// A durable operation with a time limit, made by [`timeout`].
#[must_use = "does nothing until it is awaited, joined or raced"]
pub struct Timeout<D> {
    limit: Duration,
    operation: D,
    at: Location,
}

/// Gives `operation` this long: `Ok` of what it gives, or `Err(TimedOut)`, and then nothing of it is left behind.
///
/// # Durability
/// The deadline is recorded when it begins, as that of a [`sleep`](super::sleep::sleep).
#[track_caller]
pub fn timeout<D: Durable>(limit: Duration, operation: D) -> Timeout<D> {
    Timeout { limit, operation, at: caller(Caller::caller()) }
}

#[diagnostic::do_not_recommend]
impl<D: Durable> Durable for Timeout<D> {
    type Output = Result<D::Output, TimedOut>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let Self { limit, operation, at } = self;
        let label = Label { kind: Kind::Timeout, name: "", key: None, at };
        let mut operation = Branch::new(operation.run(cx.clone()));
        let mut timer = Branch::new(Operation::new(cx, label, Ask::SleepFor(limit)));
        async move {
            let mut branches = Branches::new(2);
            // The operation goes first: when both end in one poll, it was in time.
            let first = branches.any(|index, task| match index {
                0 => operation.poll(task),
                _ => timer.poll(task),
            });
            match first.await {
                0 => Ok(operation.take()),
                _ => Err(TimedOut::new("", limit)),
            }
        }
    }
}

impl<D> fmt::Debug for Timeout<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).field("at", &self.at).finish_non_exhaustive()
    }
}
