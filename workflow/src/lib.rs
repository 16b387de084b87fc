//! Durable workflows for Rust: an ordinary `async fn` that survives crashes, deploys and months of waiting.
//!
//! Annotate it with [`#[workflow]`](macro@workflow), put what touches the world into [`step!`]s, and each step's result
//! is recorded once. After a crash the function goes on where it was, on any worker. The compiler refuses what would
//! break a replay, at the place where it is written.
//!
//! ```standalone_crate
//! use serde::{Deserialize, Serialize};
//! use workflow::prelude::*;
//! # use std::time::Duration;
//! # #[derive(Serialize, Deserialize)] struct Order { id: u64, user: u64, items: Vec<String>, total: u64 }
//! # #[derive(Serialize, Deserialize)] struct Intent { id: String }
//! # #[derive(Debug, PartialEq, Serialize, Deserialize)] struct Receipt { paid: u64 }
//! # #[derive(Default)] struct Shop;
//! # impl Shop {
//! #     async fn intent(&self, _: u64, _: u64) -> std::io::Result<Intent> { Ok(Intent { id: "pi_1".to_owned() }) }
//! #     async fn cancel(&self, _: u64) -> std::io::Result<()> { Ok(()) }
//! #     async fn reserve(&self, _: &str) -> std::io::Result<()> { Ok(()) }
//! #     async fn mail(&self, _: u64) -> std::io::Result<()> { Ok(()) }
//! #     async fn label(&self, _: u64) -> std::io::Result<()> { Ok(()) }
//! # }
//!
//! #[derive(Event, Serialize, Deserialize)]
//! #[event(name = "stripe.payment")]
//! struct PaymentConfirmed { amount: u64 }
//!
//! /// Takes an order from payment to shipping.
//! #[workflow]
//! async fn order(order: Order, #[resource] shop: &Shop) -> workflow::Result<Receipt> {
//!     let intent = step!("create payment intent", retries = 3, delay = 2s, backoff = exponential, timeout = 30s,
//!                        shop.intent(order.user, order.total)).await?;
//!     let paid = match wait_for::<PaymentConfirmed>("payment").key(&intent.id).timeout(10m).await {
//!         Ok(payment) => payment.amount,
//!         Err(TimedOut { .. }) => {
//!             step!("cancel order", shop.cancel(order.id)).await?;
//!             return Ok(Receipt { paid: 0 });
//!         }
//!     };
//!     for item in &order.items {
//!         step!("reserve", key = item, shop.reserve(item)).await?;
//!     }
//!     let (mail, label) =
//!         join!(step!("confirmation mail", shop.mail(order.user)), step!("label", shop.label(order.id))).await;
//!     mail?;
//!     label?;
//!     Ok(Receipt { paid })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> workflow::Result<()> {
//! # let input = Order { id: 7, user: 1, items: vec!["sku-1".to_owned()], total: 900 };
//! let engine = Engine::builder().store("sqlite::memory:").resource(Shop::default()).start().await?;
//! let instance = order::create(&engine, input).id("order-7").await?;
//!
//! // From a webhook, in any process:
//! order::get(&engine, "order-7").await?.send(PaymentConfirmed { amount: 900 }).key("pi_1").await?;
//!
//! // Pushed, not polled:
//! let receipt = instance.result().await?;
//! assert_eq!(receipt, Receipt { paid: 900 });
//! # engine.shutdown(Duration::from_secs(1)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! - [`prelude`]: what a file with workflows imports.
//! - [`Engine`] and [`EngineBuilder`]: starting, and the options.
//! - [`Create`], [`CreateBatch`], [`Handle`], [`SendEvent`]: creating instances, asking about them, controlling them.
//! - [`fn@fsck`]: checks everything that a store keeps, and gives a [`Report`].
//! - [`EngineError`], [`ResultError`], [`mod@error`]: what can go wrong, each with what is true after it.
//! - [`test_kit`]: unit tests of workflows, in memory and in virtual time.
//! - [`rules`]: the traits that the compiler's messages name.
//! - [`store`]: what a store promises, and how to write one; with the formats in [`journal`] and the limits in
//!   [`words::limits`].
//!
//! # Features
//!
//! `redis` and `sqlite`, both on if nothing is said, are the stores; `metrics` (off) has the engine tell the `metrics` facade
//! what it does: see `docs/OBSERVING.md` of the repository.
//!
//! # Promises
//!
//! An acknowledged create, event or step result is kept, to the durability of the store. A step's body runs at least
//! once, its result is recorded exactly once, and the body is given a stable idempotency key. A run has one outcome, and
//! a worker that lost its instance can never write to it. Timers are never early and never lost; events are never lost
//! and never delivered twice. Code that no longer fits the journal parks its instance, with both sides shown.
#![forbid(unsafe_code)]
#![expect(
    rustdoc::private_intra_doc_links,
    reason = "module docs are also the map of the source, private parts included"
)]

#[doc(hidden)]
pub mod __private;
mod authoring;
mod client;
mod definition;
#[doc(hidden)]
pub mod engine;
pub mod error;
pub mod journal;
pub mod prelude;
pub mod rules;
pub mod store;
pub mod test_kit;
pub mod words;

pub use authoring::event::Event;
pub use authoring::facts::{changed, info, now};
pub use authoring::join::{join_all, try_join_all};
pub use authoring::random::{random, uuid};
pub use authoring::sleep::{sleep, sleep_until};
pub use authoring::timeout::timeout;
pub use authoring::wait::{wait_for, wait_for_type};
pub use client::{
    Attempt, Changes, Create, CreateBatch, DamagedInstance, Definitions, Description, Engine, EngineBuilder,
    EngineError, ErrorKind, Get, Handle, History, Instance, List, Listed, Listing, New, OpenWait, Operation,
    OperationEnd, PageToken, Pause, Paused, Recorded, RecordedError, RestartFrom, ResultError, RunningOperation,
    SendEvent, SetAside, Status, StoreChoice, Subject, Untyped, WaitTarget, fsck, open_store,
};
pub use definition::Definition;
pub use engine::{
    Health, LimitHealth, LoopHealth, Mode, ShutdownReport, StartError, StoreHealth, VerifyReplay, WorkerHealth,
};
pub use error::{Error, Result};
pub use journal::command::PauseReason;
pub use journal::head::State;
pub use store::fsck::{Area, Finding, Report};
pub use store::{Overview, Shelf};
pub use workflow_macros::{Event, group, part, race, step, workflow};

/// Several durable operations at once; awaiting it gives all their outputs, in the order written.
///
/// All begin in the order written. At most sixteen; [`join_all`](prelude::join_all) takes any number.
#[macro_export]
macro_rules! join {
    ($($operation:expr),+ $(,)?) => {
        $crate::__private::join(($($operation,)+))
    };
}

/// As [`join!`] for operations that give results: all their values, or the error that came first. Then the others are
/// dropped, and nothing of them is left behind.
#[macro_export]
macro_rules! try_join {
    ($($operation:expr),+ $(,)?) => {
        $crate::__private::try_join(($($operation,)+))
    };
}

/// An expression that the checks of `#[workflow]` leave alone: it runs again in every replay, and nothing of it is
/// recorded. For what cannot change what the workflow does, such as a log line.
#[macro_export]
macro_rules! unrecorded {
    ($expression:expr) => {{
        #[allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::iter_over_hash_type)]
        let value = $expression;
        value
    }};
}
