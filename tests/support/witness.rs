//! What step bodies did, counted outside the store, and gates that hold them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use workflow::prelude::*;

use crate::wait;

/// A resource whose methods are step bodies: each writes down that it ran before it does anything else.
///
/// Clones share what they saw. It lives in the test, so it survives every engine.
#[derive(Clone)]
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Seen {
    notes: Vec<(String, Instant)>,
    open: HashSet<String>,
    /// By body: how many run now, and how many ran at once at most.
    busy: HashMap<String, (usize, usize)>,
}

/// The error of bodies that fail on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oops {
    /// Which body failed.
    pub step: String,
    /// At which of its executions, from 1.
    pub execution: usize,
}

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed at execution {}", self.step, self.execution)
    }
}

impl std::error::Error for Oops {}

/// An event that carries a number.
#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
pub struct Go {
    /// Told from other events by this.
    pub number: u64,
}

/// Writes something down when it goes.
struct NoteOnDrop<'a> {
    witness: &'a Witness,
    what: String,
}

impl Drop for NoteOnDrop<'_> {
    fn drop(&mut self) {
        self.witness.note(&self.what);
    }
}

/// Counts a body until it ends or is dropped.
struct Busy<'a> {
    witness: &'a Witness,
    what: String,
}

impl<'a> Busy<'a> {
    fn begin(witness: &'a Witness, what: &str) -> Self {
        witness.with(|seen| {
            let (now, most) = seen.busy.entry(what.to_owned()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        });
        Self { witness, what: what.to_owned() }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.witness.with(|seen| {
            if let Some((now, _)) = seen.busy.get_mut(&self.what) {
                *now -= 1;
            }
        });
    }
}

impl Default for Witness {
    fn default() -> Self {
        Self { seen: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witness").field(&self.notes()).finish()
    }
}

impl Witness {
    /// Writes down that something ran; how often it has run, this time included.
    pub fn note(&self, what: &str) -> usize {
        let times = self.with(|seen| {
            seen.notes.push((what.to_owned(), Instant::now()));
            seen.notes.iter().filter(|(note, _)| note == what).count()
        });
        self.changed.send_replace(());
        times
    }

    /// A body that gives `value`.
    pub async fn ok<T>(&self, what: &str, value: T) -> Result<T, Oops> {
        self.note(what);
        Ok(value)
    }

    /// A body that fails.
    pub async fn fails(&self, what: &str) -> Result<(), Oops> {
        Err(Oops { step: what.to_owned(), execution: self.note(what) })
    }

    /// A body that fails `times` times and then gives `value`.
    pub async fn flaky<T>(&self, what: &str, times: usize, value: T) -> Result<T, Oops> {
        let execution = self.note(what);
        if execution <= times { Err(Oops { step: what.to_owned(), execution }) } else { Ok(value) }
    }

    /// A body that gives `value` once the test opens the gate of its name.
    pub async fn held<T>(&self, what: &str, value: T) -> Result<T, Oops> {
        self.note(what);
        self.until(|seen| seen.open.contains(what)).await;
        Ok(value)
    }

    /// A body that is counted while it runs, and lets others run meanwhile; it ends once the test opens the gate of its
    /// name.
    pub async fn busy(&self, what: &str) -> Result<(), Oops> {
        let _busy = Busy::begin(self, what);
        self.note(what);
        self.until(|seen| seen.open.contains(what)).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// How many bodies of this name ran at once at most.
    #[must_use]
    pub fn most_at_once(&self, what: &str) -> usize {
        self.with(|seen| seen.busy.get(what).map_or(0, |(_, most)| *most))
    }

    /// A body that never ends, and writes down when it is dropped, as `<what> dropped`.
    pub async fn held_until_dropped(&self, what: &str) -> Result<(), Oops> {
        self.note(what);
        let _noted = NoteOnDrop { witness: self, what: format!("{what} dropped") };
        std::future::pending().await
    }

    /// Opens a gate, for good.
    pub fn open(&self, what: &str) {
        self.with(|seen| seen.open.insert(what.to_owned()));
        self.changed.send_replace(());
    }

    /// How often `what` ran.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.times(what).len()
    }

    /// When `what` ran.
    #[must_use]
    pub fn times(&self, what: &str) -> Vec<Instant> {
        self.with(|seen| seen.notes.iter().filter(|(note, _)| note == what).map(|(_, at)| *at).collect())
    }

    /// Everything that ran, in order.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.with(|seen| seen.notes.iter().map(|(note, _)| note.clone()).collect())
    }

    /// Waits until `what` ran `times` times.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub async fn ran(&self, what: &str, times: usize) {
        let enough = |seen: &Seen| seen.notes.iter().filter(|(note, _)| note == what).count() >= times;
        let waited = tokio::time::timeout(wait::PATIENCE, self.until(enough)).await;
        assert!(waited.is_ok(), "{what} did not run {times} times; what ran: {:?}", self.notes());
    }

    async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        let mut changes = self.changed.subscribe();
        while !self.with(|seen| holds(seen)) {
            changes.changed().await.expect("this witness keeps the sender");
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
