//! Unit tests of workflows: in memory, in virtual time, with no store and no runtime of their own.
//!
//! `order::test(input)` gives a [`Test`]: a builder that says what the steps answer and what comes from outside. Running
//! it drives the real workflow code through the real state machine and the real transition table, and gives a
//! [`Report`]. When the run is over it is replayed from its journal and compared with what it did, as an engine does with
//! [`VerifyReplay::Always`](crate::VerifyReplay::Always), and then replayed cut at every record (a long one at fewer places);
//! code that does not do the same again is reported as [`TestError::Differs`].
//!
//! ```standalone_crate
//! use std::io;
//!
//! use workflow::prelude::*;
//!
//! #[derive(serde::Serialize, serde::Deserialize, Event)]
//! struct Paid { amount: u32 }
//!
//! struct Shop;
//! impl Shop {
//!     async fn intent(&self, _: &str) -> io::Result<String> { Err(io::Error::other("no network in a unit test")) }
//!     async fn ship(&self, _: &str) -> io::Result<()> { Ok(()) }
//! }
//!
//! #[workflow]
//! async fn order(user: String, #[resource] shop: &Shop) -> workflow::Result<u32> {
//!     let intent = step!("create payment intent", retries = 2, delay = 10s, shop.intent(&user)).await?;
//!     let paid = wait_for::<Paid>("payment").key(&intent).timeout(10m).await?;
//!     step!("ship", shop.ship(&user)).await?;
//!     Ok(paid.amount)
//! }
//!
//! let report = order::test("ada".to_owned())
//!     .resource(Shop)
//!     .fail("create payment intent", 1, "busy")
//!     .step("create payment intent", Ok("pi_1"))
//!     .event_keyed("pi_1", Paid { amount: 900 })
//!     .run();
//! assert_eq!(report.result, Ok(900));
//! assert_eq!(report.names().collect::<Vec<_>>(), ["create payment intent", "ship"]);
//! assert_eq!(report.step("create payment intent").map(|step| step.attempts), Some(2));
//!
//! // Nobody pays: ten minutes pass by themselves.
//! let unpaid = order::test("ada".to_owned()).resource(Shop).step("create payment intent", Ok("pi_1")).run();
//! assert!(unpaid.result.is_err());
//! ```

mod journal;
mod mocks;
mod replay;
mod report;
#[cfg(test)]
mod tests;
mod world;

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::Serialize;

#[doc(hidden)]
pub use self::journal::{fork, replay};
use self::mocks::Mocks;
pub use self::report::{RecordReport, Report, StepOutcome, StepReport, TestError};
use self::world::{Item, World};
use crate::authoring::event::{Event, EventPayload};
use crate::definition::{Definition, EncodedInputs, Resources};
use crate::error::{BlockError, StepFailure, TypedFailure};
use crate::words::payload::Payload;

/// A test of the workflow `W`: what `order::test(input)` gives.
///
/// Time is virtual. It passes only when nothing else can happen: no step runs, and every event and [`Self::advance`] of
/// the test has been used. Then sleeps, deadlines and delays of retries are over at once, in their order.
///
/// Children that the workflow awaits run for real, in the same test: what it says of steps holds for theirs as well.
#[must_use = "a test does nothing until `run` or `run_async`"]
pub struct Test<W> {
    inputs: EncodedInputs,
    resources: Resources,
    mocks: Mocks,
    script: Vec<Item>,
    seed: u128,
    /// What is wrong with the test itself.
    mistake: Option<String>,
    workflow: PhantomData<fn() -> W>,
}

/// The test that a workflow's `test` function makes.
pub fn test<W: Definition>(inputs: EncodedInputs) -> Test<W> {
    Test {
        inputs,
        resources: Resources::default(),
        mocks: Mocks::default(),
        script: Vec::new(),
        seed: 0,
        mistake: None,
        workflow: PhantomData,
    }
}

impl<W: Definition> Test<W> {
    /// A `#[resource]` for the workflow and its children: the value, or an `Arc` of it.
    pub fn resource<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.insert(value);
        self
    }

    /// The seed of `random`, `uuid` and jitter. 0 unless given.
    pub const fn seed(mut self, seed: u128) -> Self {
        self.seed = seed;
        self
    }

    /// The steps of this name give this result, and their bodies do not run: `.step("charge", Ok(receipt))`.
    pub fn step<T: Serialize>(self, name: &str, result: Result<T, BlockError>) -> Self {
        self.answer(name, None, result)
    }

    /// The steps of this name and key give this result, and their bodies do not run.
    pub fn step_keyed<T: Serialize>(self, name: &str, key: impl fmt::Display, result: Result<T, BlockError>) -> Self {
        self.answer(name, Some(key.to_string()), result)
    }

    fn answer<T: Serialize>(mut self, name: &str, key: Option<String>, result: Result<T, BlockError>) -> Self {
        let ended = match result.map(|value| Payload::encode(&value)) {
            Ok(Ok(payload)) => Ok(payload),
            Ok(Err(error)) => return self.mistaken(format!("the answer of step {name:?}: {error}")),
            Err(error) => Err(error.into_failure()),
        };
        self.mocks.answer(name, key, ended);
        self
    }

    /// The next `times` attempts of the steps of this name fail with this error, before anything else answers them.
    pub fn fail<E: StepFailure>(mut self, name: &str, times: u32, error: E) -> Self {
        self.mocks.fail(name, None, times, error.describe());
        self
    }

    /// As [`Self::fail`], for one key.
    pub fn fail_keyed<E: StepFailure>(mut self, name: &str, key: impl fmt::Display, times: u32, error: E) -> Self {
        self.mocks.fail(name, Some(key.to_string()), times, error.describe());
        self
    }

    /// As [`Self::fail`], for a step that is `.typed()`: it gets the error itself.
    pub fn fail_typed<E: StepFailure + TypedFailure>(mut self, name: &str, times: u32, error: E) -> Self {
        let data = match error.keep() {
            Ok(data) => data,
            Err(wrong) => return self.mistaken(format!("the error of step {name:?}: {wrong}")),
        };
        let mut failure = error.describe();
        failure.data = Some(data);
        self.mocks.fail(name, None, times, failure);
        self
    }

    /// The steps of this name never end by themselves: only their time limit, or a race they lose, ends them.
    pub fn hang(mut self, name: &str) -> Self {
        self.mocks.hang(name);
        self
    }

    /// Sends an event, once the workflow can do nothing without it (or without the ones before it).
    pub fn event<E: Event>(self, event: E) -> Self {
        self.send(E::TYPE, "", event)
    }

    /// Sends an event with a key.
    pub fn event_keyed<E: Event>(self, key: impl fmt::Display, event: E) -> Self {
        self.send(E::TYPE, &key.to_string(), event)
    }

    /// Sends an event as an untyped sender does: for `wait_for_type`. An empty key is none.
    pub fn event_type<T: EventPayload>(self, event_type: &str, key: &str, payload: T) -> Self {
        self.send(event_type, key, payload)
    }

    #[expect(clippy::needless_pass_by_value, reason = "an event that is sent is given away, as to a real instance")]
    fn send<T: EventPayload>(mut self, event_type: &str, key: &str, event: T) -> Self {
        match event.to_payload() {
            Ok(payload) => self.script.push(Item::event(event_type, key, payload)),
            Err(error) => return self.mistaken(format!("the event {event_type:?}: {error}")),
        }
        self
    }

    /// Lets this much time pass, once the workflow can do nothing without it. What is due on the way happens.
    pub fn advance(mut self, by: Duration) -> Self {
        self.script.push(Item::Advance(by));
        self
    }

    fn mistaken(mut self, mistake: String) -> Self {
        self.mistake.get_or_insert(mistake);
        self
    }

    /// Runs it on this thread. Bodies that are not mocked are polled here too; those that need a runtime want
    /// [`Self::run_async`].
    pub fn run(self) -> Report<W> {
        block_on(self.run_async())
    }

    /// Runs it as a future, for bodies that need a runtime around them.
    pub async fn run_async(self) -> Report<W> {
        let Self { inputs, resources, mocks, script, seed, mistake, workflow: _ } = self;
        let input = match (mistake, inputs.into_payload()) {
            (Some(message), _) => return Report::refused(message),
            (_, Err(error)) => return Report::refused(error.to_string()),
            (None, Ok(input)) => input,
        };
        let mocks = Arc::new(mocks);
        let stand_in: Arc<Mocks> = mocks.clone();
        let mut world = World::new(resources, Some(stand_in), script);
        if let Err(message) = world.create(W::registration(), input, seed) {
            return Report::refused(message);
        }
        poll_fn(|cx| world.poll(cx)).await;
        Report::of(&world, &mocks)
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            // A wake before this leaves the thread a token, so none is missed.
            Poll::Pending => thread::park(),
        }
    }
}

impl<W> fmt::Debug for Test<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").field("resources", &self.resources).field("script", &self.script).finish_non_exhaustive()
    }
}
