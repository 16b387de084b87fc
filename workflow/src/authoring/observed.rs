//! What an observer sees of a run while it is driven: spans of the steps and groups that run, and how long bodies took.
//!
//! Owns the open spans, not the span of the instance: whoever drives the run polls it within that. No span opens for what
//! a replay only repeats, and none holds a value or an error's words. When nobody listens, a poll costs one look at the
//! most verbose level that anybody wants, and nothing is measured unless the driver's clock has a stopwatch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::span::Entered;
use tracing::{Span, debug_span, info_span};

use super::attempt::Ended;
use super::log;
use super::operation::{Label, Operation};
use super::run::Run;
use crate::journal::machine::OpId;
use crate::journal::path::Kind;
use crate::words::failure::FailureKind;

/// The target of every span: a filter such as `workflow=info` lets them through.
const TARGET: &str = "workflow";

/// What is counted and measured of a run, in the order in which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// An attempt of a step ended, or was dropped because its time was over.
    Attempt {
        /// The step's name.
        step: &'static str,
        /// How long it took.
        took: Duration,
        /// How it failed, if it did.
        failure: Option<FailureKind>,
    },
    /// A step ended for good.
    Step {
        /// Its name.
        step: &'static str,
        /// Whether it gave a value.
        done: bool,
    },
    /// A sleep or a deadline was delivered so long after it was due.
    Timer {
        /// How long.
        late: Duration,
    },
}

/// The open spans of a run.
#[derive(Debug, Default)]
pub(super) struct Spans(Mutex<HashMap<OpId, Open>>);

#[derive(Debug)]
struct Open {
    number: u32,
    within: Within,
}

/// The span of a step or group that runs, and that of its attempt; both disabled where nobody listens.
#[derive(Debug, Clone)]
pub(super) struct Within {
    operation: Span,
    attempt: Span,
}

impl Within {
    const NOTHING: Self = Self { operation: Span::none(), attempt: Span::none() };

    /// Enters both: who is shown only the outer one finds it among those entered.
    pub(super) fn enter(&self) -> (Entered<'_>, Entered<'_>) {
        // They are left in this order.
        let operation = self.operation.enter();
        (self.attempt.enter(), operation)
    }
}

/// Whether anybody listens to the spans of steps at all.
fn heard() -> bool {
    LevelFilter::current() >= LevelFilter::INFO
}

impl Spans {
    fn open(&self) -> MutexGuard<'_, HashMap<OpId, Open>> {
        // Plain data: a panic of a subscriber leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all: the run stops running here.
    pub(super) fn leave(&self) {
        let gone = std::mem::take(&mut *self.open());
        drop(gone);
    }

    /// The spans to poll an attempt in, opened if they are not open; `None` for what a replay repeats.
    fn of_attempt(&self, run: &Run, op: OpId, label: &Label, number: u32) -> Option<Within> {
        if let Some(known) = self.open().get(&op).filter(|known| known.number == number) {
            return Some(known.within.clone());
        }
        // What is only repeated was seen when it happened.
        if !log::is_live() {
            return None;
        }
        // Of an earlier attempt that span goes, and that of the operation stays.
        let known = self.open().remove(&op).map(|known| known.within.operation);
        let operation = known.unwrap_or_else(|| of_operation(run, op, label));
        let attempt = operation.in_scope(|| debug_span!(target: TARGET, "attempt", number, outcome = Empty));
        let within = Within { operation, attempt };
        self.open().insert(op, Open { number, within: within.clone() });
        Some(within)
    }

    /// The attempt is over: so it is said in its span, which closes.
    fn attempt_ended(&self, op: OpId, outcome: &'static str) {
        let span = self.open().get_mut(&op).map(|open| std::mem::replace(&mut open.within.attempt, Span::none()));
        if let Some(span) = span {
            span.record("outcome", outcome);
        }
    }

    fn close(&self, op: OpId) {
        let gone = self.open().remove(&op);
        drop(gone);
    }
}

/// The span of a step or group, within whatever is polled now.
fn of_operation(run: &Run, op: OpId, label: &Label) -> Span {
    let (name, key) = (label.name, label.key.as_deref());
    match label.kind {
        Kind::Group => info_span!(target: TARGET, "group", name, key, path = path_of(run, op)),
        _ => info_span!(target: TARGET, "step", name, key, path = path_of(run, op)),
    }
}

fn path_of(run: &Run, op: OpId) -> String {
    run.machine(|machine| machine.path(op).as_str().to_owned())
}

/// What is seen of one step or group: closes its span when it goes.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// Where its spans are, once one was opened.
    seen: Option<(Arc<Run>, OpId)>,
    /// When its attempt began, by the driver's stopwatch.
    began: Option<Duration>,
}

impl Observed {
    /// An attempt begins, or goes on, and is to be polled within these spans.
    pub(super) fn within(&mut self, operation: &Operation, op: OpId, attempt: u32) -> Within {
        if !heard() {
            return Within::NOTHING;
        }
        let run = operation.cx.run();
        let Some(within) = run.spans.of_attempt(run, op, &operation.label, attempt) else { return Within::NOTHING };
        if self.seen.is_none() {
            self.seen = Some((run.clone(), op));
        }
        within
    }

    /// An attempt begins.
    pub(super) fn begins(&mut self, operation: &Operation) {
        self.began = operation.cx.run().stopwatch();
    }

    /// The attempt ended by itself.
    pub(super) fn ended(&mut self, operation: &Operation, ended: &Ended) {
        let failure = ended.as_ref().err().map(|failure| failure.kind);
        if let Some((run, op)) = &self.seen {
            run.spans.attempt_ended(*op, failure.map_or("ok", FailureKind::word));
        }
        self.measure(operation, failure);
    }

    /// The attempt was dropped, as its time was over.
    pub(super) fn dropped(&mut self, operation: &Operation) {
        if let Some((run, op)) = &self.seen {
            run.spans.attempt_ended(*op, FailureKind::TimedOut.word());
        }
        self.measure(operation, Some(FailureKind::TimedOut));
    }

    fn measure(&mut self, operation: &Operation, failure: Option<FailureKind>) {
        let Some(began) = self.began.take().filter(|_| operation.label.kind == Kind::Step) else { return };
        let run = operation.cx.run();
        let took = run.stopwatch().unwrap_or(began).saturating_sub(began);
        run.note(Measured::Attempt { step: operation.label.name, took, failure });
    }

    /// The operation ended for good; `here`: by an attempt that was made here.
    pub(super) fn over(&mut self, operation: &Operation, done: bool, here: bool) {
        self.close();
        let run = operation.cx.run();
        if here && operation.label.kind == Kind::Step && run.stopwatch().is_some() {
            run.note(Measured::Step { step: operation.label.name, done });
        }
    }

    fn close(&mut self) {
        if let Some((run, op)) = self.seen.take() {
            run.spans.close(op);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.close();
    }
}
