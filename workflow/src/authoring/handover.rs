//! How a closure hands its argument to its own async block, without the block borrowing from the closure.
//!
//! `|cx| async { … cx … }` would borrow a local of the closure, and `async move` would move every captured variable in.
//! So generated code writes `|cx| scoped(cx, async { let cx = entered(); … })`: the first poll puts the argument where
//! the block's first statement takes it.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

thread_local! {
    /// The argument on its way, between the two sides of one poll.
    static HANDED: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
}

/// Runs `block`, whose first statement takes `cx` by [`entered`].
pub async fn scoped<C: Send + 'static, F: Future>(cx: C, block: F) -> F::Output {
    let mut cx = Some(cx);
    let mut block = pin!(block);
    std::future::poll_fn(move |task| {
        if let Some(cx) = cx.take() {
            HANDED.set(Some(Box::new(cx)));
        }
        block.as_mut().poll(task)
    })
    .await
}

/// What [`scoped`] was given.
///
/// # Panics
/// Anywhere but in the first statement of its block.
#[must_use]
pub fn entered<C: 'static>() -> C {
    let handed = HANDED.take().and_then(|handed| handed.downcast().ok());
    *handed.expect("the first statement of a block is polled right after its argument was handed over")
}
