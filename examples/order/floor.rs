//! How many step bodies are under way at once, and the crash that `--crash-after` asks for.
//!
//! A body is under way from its line in the effects file until its result is in the store: a kill in between runs it
//! again, and no other. With one body at a time, which is the default, a kill repeats one body at most. A body cannot
//! see its own commit, so the journal is read until it holds how the body ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use workflow::Operation;
use workflow::prelude::StepContext;

use crate::console::say;
use crate::engine::EngineSlot;
use crate::workflow::order;

/// How often the journal is read.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a result is looked for. A worker that lost its lease never records it: another one runs the body again.
const LOOK_FOR: Duration = Duration::from_secs(10);

/// Lets bodies in. Clones share the places.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    places: Arc<Semaphore>,
    places_total: u32,
    crash_after: Option<Arc<str>>,
    crashing: Arc<AtomicBool>,
    engine: EngineSlot,
}

/// A body's place. Dropped in the middle of the body, as when its time is up, it is free again at once.
#[derive(Debug)]
pub(crate) struct Admitted {
    floor: Floor,
    place: OwnedSemaphorePermit,
    body: Body,
}

/// One execution of a step body.
#[derive(Debug)]
struct Body {
    instance: String,
    step: String,
    path: String,
    attempt: u32,
}

impl Floor {
    /// A floor for so many bodies at once, at least one. With `crash_after`, the process aborts when a step of that
    /// name is committed.
    pub(crate) fn new(bodies_at_once: u32, crash_after: Option<&str>, engine: EngineSlot) -> Self {
        let places_total = bodies_at_once.max(1);
        let places = Arc::new(Semaphore::new(usize::try_from(places_total).unwrap_or(1)));
        Self { places, places_total, crash_after: crash_after.map(Arc::from), crashing: Arc::default(), engine }
    }

    /// Waits for a place. While the process is about to crash there is none.
    pub(crate) async fn enter(&self, cx: &StepContext) -> Admitted {
        let place = loop {
            let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
            if !self.crashing.load(Ordering::SeqCst) {
                break place;
            }
            drop(place);
            self.no_crash().await;
        };
        let body = Body {
            instance: cx.instance_id().to_owned(),
            step: cx.name().to_owned(),
            path: cx.path(),
            attempt: cx.attempt(),
        };
        Admitted { floor: self.clone(), place, body }
    }

    /// Comes back when no crash is on its way: where a step has ended that the process is to crash after, only if the
    /// result was never recorded.
    pub(crate) async fn no_crash(&self) {
        while self.crashing.load(Ordering::SeqCst) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the bodies that are under way are recorded too, and aborts.
    async fn crash(&self, step: &str) {
        let others = self.places_total - 1;
        let _all_recorded = tokio::time::timeout(LOOK_FOR, self.places.acquire_many(others)).await;
        say(format_args!("crash     after \"{step}\", as asked"));
        std::process::abort();
    }
}

impl Admitted {
    /// The body ended; its place is free when the store has it.
    pub(crate) fn ended(self, success: bool) {
        let is_the_step = success && self.floor.crash_after.as_deref() == Some(&self.body.step);
        // From here on, before the result can be recorded, no other body comes in. Of several that end at once the
        // first brings the crash about; the others are waited for.
        let crashes = is_the_step && !self.floor.crashing.swap(true, Ordering::SeqCst);
        tokio::spawn(async move {
            let recorded = tokio::time::timeout(LOOK_FOR, self.body.recorded(&self.floor.engine)).await;
            if crashes && recorded.is_ok() {
                self.floor.crash(&self.body.step).await;
            } else if crashes {
                self.floor.crashing.store(false, Ordering::SeqCst);
            }
            drop(self.place);
        });
    }
}

impl Body {
    /// Comes back when the journal holds how this body ended.
    async fn recorded(&self, engine: &EngineSlot) {
        while !self.is_recorded(engine).await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn is_recorded(&self, engine: &EngineSlot) -> bool {
        let Some(engine) = engine.get() else { return false };
        let Ok(handle) = order::get(engine, &self.instance).await else { return false };
        let Ok(history) = handle.history().await else { return false };
        let mut operations = history.operations.iter();
        operations.any(|operation| operation.path == self.path && has_recorded(operation, self.attempt))
    }
}

/// Whether an operation has ended, or at least this attempt of it.
fn has_recorded(operation: &Operation, attempt: u32) -> bool {
    operation.end.is_some() || operation.failed_attempts.iter().any(|failed| failed.number >= attempt)
}
