//! The worlds that are explored wholly.

use stateright::{Checker, Expectation, Model};
use workflow::journal::command::Action;

use crate::guards::Guard;
use crate::model::{Protocol, Reach, completed};
use crate::program::Program;
use crate::settle::Settled;
use crate::state::Budgets;

const NONE: Budgets = Budgets { faults: 0, crashes: 0, ticks: 0, beats: 0, controls: 0, events: 0 };

const COMPLETES: Reach = ("a run completes", |_, state| completed(state).is_some());
const COMPLETES_AGAIN: Reach =
    ("a run completes after a restart", |_, state| completed(state).is_some_and(|run| run > 1));
const PAUSES: Reach = ("an instance is paused", |_, state| !state.seen.paused.is_empty());
const RECOVERS: Reach = ("a run completes after a session was lost", |_, state| {
    completed(state).is_some() && !state.data.sessions.contains_key(&workflow::words::id::SessionId(1))
});

/// Steps, and everything that can happen to the workers that run them.
pub(crate) fn ownership() -> Protocol {
    Protocol {
        program: Program::Steps,
        workers: 2,
        budgets: Budgets { faults: 1, crashes: 1, ticks: 1, beats: 1, ..NONE },
        controls: vec![],
        off: Vec::new(),
        workers_fail: true,
        unsticks: false,
        settled: Settled::default(),
        expires: false,
        reaches: &[COMPLETES, RECOVERS],
    }
}

/// Steps, and everything operators can do to them.
pub(crate) fn operators() -> Protocol {
    Protocol {
        program: Program::Steps,
        workers: 1,
        budgets: Budgets { faults: 1, controls: 2, ..NONE },
        controls: vec![Action::Pause, Action::Resume, Action::Terminate { reason: String::new() }, Action::Restart],
        off: Vec::new(),
        workers_fail: true,
        unsticks: false,
        settled: Settled::default(),
        expires: false,
        reaches: &[COMPLETES, COMPLETES_AGAIN, PAUSES],
    }
}

/// Two events for two waits.
pub(crate) fn events() -> Protocol {
    Protocol {
        program: Program::TwoEvents,
        workers: 2,
        budgets: Budgets { faults: 1, events: 2, ..NONE },
        controls: vec![],
        off: Vec::new(),
        workers_fail: true,
        unsticks: true,
        settled: Settled::default(),
        expires: false,
        reaches: &[COMPLETES],
    }
}

/// An event and a deadline, with pauses and a clock.
pub(crate) fn timers() -> Protocol {
    Protocol {
        program: Program::EventOrTimer,
        workers: 1,
        budgets: Budgets { events: 1, ticks: 2, controls: 2, ..NONE },
        controls: vec![Action::Pause, Action::Resume],
        off: Vec::new(),
        workers_fail: true,
        unsticks: false,
        settled: Settled::default(),
        expires: false,
        reaches: &[COMPLETES, PAUSES],
    }
}

/// An event for an instance whose owner keeps it, because a body runs.
pub(crate) fn bodies() -> Protocol {
    Protocol {
        program: Program::EventOrBody,
        workers: 2,
        budgets: Budgets { faults: 1, events: 1, crashes: 1, ticks: 1, ..NONE },
        controls: vec![],
        off: Vec::new(),
        workers_fail: true,
        unsticks: false,
        settled: Settled::default(),
        expires: false,
        reaches: &[COMPLETES, RECOVERS],
    }
}

/// A child, the outbox, restarts of the parent, and retention.
pub(crate) fn children() -> Protocol {
    Protocol {
        program: Program::Parent,
        workers: 1,
        budgets: Budgets { faults: 1, controls: 1, ..NONE },
        controls: vec![Action::Terminate { reason: String::new() }, Action::Restart],
        off: Vec::new(),
        workers_fail: false,
        unsticks: false,
        settled: Settled::default(),
        expires: true,
        reaches: &[COMPLETES, COMPLETES_AGAIN],
    }
}

/// Explores all of a world, and asserts that everything holds and that what must be reached is.
fn holds(world: Protocol) {
    let started = std::time::Instant::now();
    let checker = world.checker().threads(2).spawn_bfs().join();
    eprintln!("{} states, depth {}, {:?}", checker.unique_state_count(), checker.max_depth(), started.elapsed());
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        match property.expectation {
            Expectation::Sometimes => assert!(found.is_some(), "never reached: {}", property.name),
            Expectation::Always | Expectation::Eventually => {
                if let Some(path) = found {
                    panic!("{}\n{}", property.name, crate::controls::tell(&path));
                }
            }
        }
    }
    assert!(checker.is_done(), "all of it was explored");
}

#[test]
fn steps_run_once_whatever_happens_to_their_workers() {
    holds(ownership());
}

#[test]
fn operators_get_what_they_want_once() {
    holds(operators());
}

#[test]
fn events_are_consumed_once_and_never_lost() {
    holds(events());
}

#[test]
fn timers_are_never_early_and_never_lost() {
    holds(timers());
}

#[test]
fn an_event_reaches_an_owner_whose_body_runs() {
    holds(bodies());
}

#[test]
fn children_are_created_once_and_their_ends_reach_the_run_that_waits() {
    holds(children());
}

/// The world of `of`, with guards switched off.
pub(crate) fn without(of: Protocol, off: &[Guard]) -> Protocol {
    Protocol { off: off.to_vec(), reaches: &[], ..of }
}
