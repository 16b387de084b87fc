//! Parts: async helpers with durable operations, each call a scope of its own.

use std::fmt;
use std::future::Future;

use super::context::Ctx;
use super::durable::{BoxFuture, Durable};
use crate::words::location::Location;

/// What a `#[part]` function returns: awaiting it in a workflow, group or other part runs it there.
#[must_use = "a part does nothing until it is awaited, joined or raced"]
pub struct PartToAwaitInWorkflow<'a, T> {
    name: &'static str,
    at: Location,
    start: Box<dyn FnOnce(Ctx) -> BoxFuture<'a, T> + Send + 'a>,
}

/// [`PartToAwaitInWorkflow`], where it is named. The compiler says the long name, to whoever awaits one elsewhere.
pub type Part<'a, T> = PartToAwaitInWorkflow<'a, T>;

/// The part that `#[part]` expands to. `body` makes its future in the context it is given.
pub fn part<'a, F, Fut, T>(name: &'static str, at: Location, body: F) -> Part<'a, T>
where
    F: FnOnce(Ctx) -> Fut + Send + 'a,
    Fut: Future<Output = T> + Send + 'a,
{
    Part { name, at, start: Box::new(move |cx| Box::pin(body(cx))) }
}

#[diagnostic::do_not_recommend]
impl<T: Send> Durable for Part<'_, T> {
    type Output = T;

    async fn run(self, cx: Ctx) -> T {
        let scope = cx.run().machine(|machine| machine.open_part(cx.scope(), self.name, None));
        (self.start)(cx.within(scope)).await
    }
}

impl<T> fmt::Debug for Part<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.name).field("at", &self.at).finish_non_exhaustive()
    }
}
