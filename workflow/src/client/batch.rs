//! Making many instances in one call.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::create::{Made, New, Prepared};
use super::engine::Engine;
use super::error::EngineError;
use super::handle::Handle;
use crate::definition::Definition;
use crate::store::BoxFuture;
use crate::words::limits::BATCH_MAX;

/// Begins a batch of creates.
pub fn create_batch<W: Definition>(engine: &Engine, items: impl IntoIterator<Item = New<W>>) -> CreateBatch<W> {
    // One more than allowed is enough to know that there are too many.
    CreateBatch { engine: engine.clone(), items: items.into_iter().take(BATCH_MAX + 1).collect(), attach: false }
}

/// Instances of `W` to be created together: made by `order::create_batch(&engine, items)`, carried out when awaited.
///
/// Awaiting gives one outcome an item, in the order of the items: the handle, or why that one was not created. Each item
/// is a create of its own: atomic, independent of its neighbours, with the errors of [`Create`](super::Create). Two items
/// of one id are carried out in their order: the second is told that the first exists, or attaches to it.
///
/// # Errors
/// [`EngineError::BatchTooLarge`] when there are more than 1,000 items; then none was created.
///
/// # Crashes
/// A process that dies before the answer has created any of them, each wholly or not at all. The same batch again, with
/// ids and `attach`, completes it.
#[must_use = "a batch does nothing until it is awaited"]
pub struct CreateBatch<W> {
    engine: Engine,
    items: Vec<New<W>>,
    attach: bool,
}

/// The outcome of one item of a batch.
type Outcome<W> = Result<Handle<W>, EngineError>;

impl<W: Definition> CreateBatch<W> {
    /// Takes instances that exist already, if they are of this workflow, instead of
    /// [`EngineError::AlreadyExists`].
    pub fn attach(mut self) -> Self {
        self.attach = true;
        self
    }

    async fn carry_out(self) -> Result<Vec<Outcome<W>>, EngineError> {
        let Self { engine, items, attach } = self;
        if items.len() > BATCH_MAX {
            return Err(EngineError::BatchTooLarge { limit: BATCH_MAX });
        }
        let mut outcomes: Vec<Option<Outcome<W>>> = Vec::with_capacity(items.len());
        let mut rounds = Rounds::default();
        for (index, item) in items.into_iter().enumerate() {
            match item.prepare(&engine) {
                Ok(prepared) => {
                    rounds.add(index, prepared);
                    outcomes.push(None);
                }
                Err(refused) => outcomes.push(Some(Err(refused))),
            }
        }
        for round in rounds.0 {
            let (indexes, creates): (Vec<_>, Vec<_>) =
                round.into_iter().map(|(index, item)| (index, item.carry_out(engine.clone(), None, attach))).unzip();
            for (index, outcome) in indexes.into_iter().zip(all(creates).await) {
                outcomes[index] = Some(outcome.map(Made::handle));
            }
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.expect("every item was refused or in a round")).collect())
    }
}

/// Items by how many items of the same id came before: creates of one round can go together.
#[derive(Default)]
struct Rounds(Vec<Vec<(usize, Prepared)>>, HashMap<String, usize>);

impl Rounds {
    fn add(&mut self, index: usize, item: Prepared) {
        let before = self.1.entry(item.id().to_string()).or_default();
        let round = *before;
        *before += 1;
        if self.0.len() == round {
            self.0.push(Vec::new());
        }
        self.0[round].push((index, item));
    }
}

/// Waits for all of them. Polled in their order, so that they reach the store in their order.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    enum Slot<F: Future> {
        Open(Pin<Box<F>>),
        Ended(F::Output),
    }
    let mut slots: Vec<Slot<F>> = futures.into_iter().map(|future| Slot::Open(Box::pin(future))).collect();
    poll_fn(|cx| {
        let mut open = false;
        for slot in &mut slots {
            if let Slot::Open(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *slot = Slot::Ended(output),
                    Poll::Pending => open = true,
                }
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let ended = |slot| match slot {
        Slot::Ended(output) => Some(output),
        Slot::Open(_) => None,
    };
    slots.into_iter().filter_map(ended).collect()
}

impl<W: Definition> IntoFuture for CreateBatch<W> {
    type Output = Result<Vec<Outcome<W>>, EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl<W: Definition> fmt::Debug for CreateBatch<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateBatch").field("items", &self.items).field("attach", &self.attach).finish_non_exhaustive()
    }
}
