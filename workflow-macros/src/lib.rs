//! The macros of the `workflow` crate; use them through it.
//!
//! Each entry below parses, calls one function and hands its tokens back. The attributes work in phases: `parse` reads
//! the signature into a `model`, `check` holds the rules, one function each, `body` walks and rewrites what is inside,
//! `emit` writes a thin shim over `workflow::__private`, and `fallback` is what remains after a mistake. All mistakes go
//! into one `Errors` and come out of one compile.
#![forbid(unsafe_code)]

mod attribute;
mod body;
mod duration;
mod errors;
mod event;
mod graph;
mod lints;
mod name;
mod part;
mod race;
mod runtime;
mod step;
mod suggest;
mod workflow;

#[cfg(test)]
mod tests;

use name::Kind;
use proc_macro::TokenStream;

/// Makes an async fn a durable workflow.
///
/// Its inputs are recorded, those marked `#[resource]` are injected where it runs. Beside the fn, which other workflows
/// await as a child, a type of the same name starts and finds instances: `order::create(&engine, input).await`.
///
/// As a child it is called as it is written, resources included: `order(input, shop).await`. Only the inputs are recorded
/// and travel; the child is given the resources of the worker that runs it. So a workflow takes the resources of its
/// children as its own.
///
/// Options: `name = ".."` (default: the fn's name), `version = n` (default 1), `queue = ".."` (default `"default"`),
/// `keep_complete = 7d` and `keep_failed = 30d`: how long instances are kept after they completed, and after they failed or
/// were terminated (default: as the engine says; a create may say otherwise), `crate = path` (default `::workflow`).
#[proc_macro_attribute]
pub fn workflow(options: TokenStream, item: TokenStream) -> TokenStream {
    workflow::expand(options.into(), item.into()).into()
}

/// Makes an async fn or method a helper that may hold durable operations.
///
/// It is scoped by its name, and its result is awaited in workflows and other parts only. On a method of a trait the
/// attribute goes on the declaration and on each implementation.
///
/// Options: `name = ".."` (default: the fn's name), `crate = path` (default `::workflow`).
#[proc_macro_attribute]
pub fn part(options: TokenStream, item: TokenStream) -> TokenStream {
    part::expand(options.into(), item.into()).into()
}

/// Runs something once and records its result: `step!("name", option = value, .., body)`.
///
/// The body is an expression that makes a future of a `Result`, a `{ block }` with boxed errors, or `|cx| body`, which
/// is given the attempt and an idempotency key. It may run again, so it can neither move captured values out nor assign
/// outer variables.
///
/// A body borrows what it uses. A step that is made in a closure and leaves it takes copies of the closure's own
/// variables along: `join_all(ids.into_iter().map(|id| step!("mail", key = id, mail(id, &text))))`. What is no `Copy`
/// belongs into an async block: `|name| async move { step!("mail", key = name, mail(&name)).await }`. A step that is
/// kept beyond the pass of a loop that made it says itself that it takes all it uses along, with a body that is
/// `async move { .. }`.
///
/// Options: `key`, `retries`, `delay`, `backoff = constant|linear|exponential`, `max_delay`, `jitter`, `timeout`,
/// `unless`.
#[proc_macro]
pub fn step(tokens: TokenStream) -> TokenStream {
    step::expand(Kind::Step, tokens.into()).into()
}

/// A step made of durable operations: `group!("name", option = value, .., { block })`.
///
/// Names inside of it are its own. Its block ends in `Ok(..)` and its result is recorded; it takes the options of a step
/// but `unless`. What it borrows, and what it takes along of a closure, is as for a step.
#[proc_macro]
pub fn group(tokens: TokenStream) -> TokenStream {
    step::expand(Kind::Group, tokens.into()).into()
}

/// The first of several durable operations: `race! { pattern = operation => expression, .. }.await`.
///
/// Arms run in the workflow's own code: they may `return`, use `?` and await. What did not win is cancelled.
#[proc_macro]
pub fn race(tokens: TokenStream) -> TokenStream {
    race::expand(tokens.into()).into()
}

/// Gives a type the name under which it travels as an event.
///
/// The name is the type's, or `#[event(name = "..")]`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}
