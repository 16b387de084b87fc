//! The worlds that are explored wholly.

use stateright::{Checker, Expectation, Model};
use workflow::journal::head::Place;
use workflow::words::id::SessionId;

use crate::guards::Guard;
use crate::model::{Protocol, Reach, completed};
use crate::outside::{Operation, Target};
use crate::program::{Program, STEPS};
use crate::settle::Settled;
use crate::state::{Budgets, State};

const NONE: Budgets =
    Budgets { faults: 0, crashes: 0, ticks: 0, beats: 0, controls: 0, events: 0, leases: 0, losses: 0 };

const COMPLETES: Reach = ("a run completes", |_, state| completed(state).is_some());
const COMPLETES_AGAIN: Reach =
    ("a run completes after a restart", |_, state| completed(state).is_some_and(|run| run > 1));
const PAUSES: Reach = ("an instance is paused", |_, state| !state.seen.paused.is_empty());
const RECOVERS: Reach = ("a run completes after a session was lost", |_, state| {
    completed(state).is_some() && !state.data.sessions.contains_key(&SessionId(1))
});
const COMPLETES_AFTER_LOSS: Reach =
    ("a run completes that the store had lost a part of", |_, state| completed(state).is_some() && repeated(state));
const TAKES_OVER: Reach = ("a run completes that kept a part of another", |_, state| {
    let took_over = |instance: &workflow::store::model::Instance| {
        instance.head.fork.as_ref().is_some_and(|fork| !fork.open && fork.path.as_str() != "0")
    };
    completed(state).is_some() && state.data.instances.values().any(took_over)
});
const CLOSES: Reach = ("a child is closed with its parent", |_, state| {
    let closed = |instance: &workflow::store::model::Instance| {
        instance.head.spec.parent.is_some()
            && matches!(&instance.head.place, Place::Done { end: workflow::journal::head::End::Terminated { .. }, .. })
    };
    state.data.instances.values().any(closed)
});
const TAKES_TURNS: Reach = ("both complete", |_, state| {
    state.data.instances.len() == 2
        && state.data.instances.values().all(|instance| matches!(instance.head.place, Place::Done { .. }))
});

/// The store lost a version and gave a later one.
fn repeated(state: &State) -> bool {
    state
        .seen
        .lost_versions
        .iter()
        .any(|(id, (_, lost))| state.data.instances.get(id).is_some_and(|instance| instance.head.v > *lost))
}

/// So much more only where there is a night for it.
fn at_night(more: u8) -> u8 {
    if *STEPS > 3 { more } else { 0 }
}

/// What all worlds begin as.
fn world(program: Program, workers: u8, budgets: Budgets, reaches: &'static [Reach]) -> Protocol {
    Protocol {
        program,
        two: false,
        workers,
        budgets,
        controls: vec![],
        limit: None,
        off: Vec::new(),
        workers_fail: true,
        unsticks: false,
        settled: Settled::default(),
        expires: false,
        reaches,
    }
}

fn to_instance(operations: &[Operation]) -> Vec<(Target, Operation)> {
    operations.iter().map(|operation| (Target::Instance, *operation)).collect()
}

/// Steps, and everything that can happen to the workers that run them.
pub(crate) fn ownership() -> Protocol {
    let budgets = Budgets { faults: 1, crashes: 1, ticks: 1, beats: 1, ..NONE };
    world(Program::Steps, 2, budgets, &[COMPLETES, RECOVERS])
}

/// Steps, and everything operators can do to them.
pub(crate) fn operators() -> Protocol {
    let all = [Operation::Pause, Operation::Resume, Operation::Terminate, Operation::Restart];
    let budgets = Budgets { faults: 1, controls: 2, ..NONE };
    let reaches = &[COMPLETES, COMPLETES_AGAIN, PAUSES];
    Protocol { controls: to_instance(&all), ..world(Program::Steps, 1, budgets, reaches) }
}

/// Restarts while workers die; of a night pauses as well.
pub(crate) fn operators_and_crashes() -> Protocol {
    let controls = if at_night(1) > 0 {
        to_instance(&[Operation::Restart, Operation::Pause, Operation::Resume])
    } else {
        to_instance(&[Operation::Restart])
    };
    let budgets = Budgets { controls: 1 + at_night(1), crashes: 1, ticks: 1, ..NONE };
    let reaches = &[COMPLETES, COMPLETES_AGAIN, RECOVERS];
    Protocol { controls, ..world(Program::Steps, 2, budgets, reaches) }
}

/// Two events for two waits.
pub(crate) fn events() -> Protocol {
    let budgets = Budgets { faults: 1, events: 2, ..NONE };
    Protocol { unsticks: true, ..world(Program::TwoEvents, 2, budgets, &[COMPLETES]) }
}

/// An event and a deadline, with pauses and a clock.
pub(crate) fn timers() -> Protocol {
    let budgets = Budgets { events: 1, ticks: 2, controls: 2, ..NONE };
    let controls = to_instance(&[Operation::Pause, Operation::Resume]);
    Protocol { controls, ..world(Program::EventOrTimer, 1, budgets, &[COMPLETES, PAUSES]) }
}

/// An event and a deadline, with lost replies, crashes and two workers.
pub(crate) fn deadlines() -> Protocol {
    let budgets = Budgets { faults: 1, events: 1, ticks: 1 + at_night(1), crashes: at_night(1), ..NONE };
    Protocol { unsticks: true, ..world(Program::EventOrTimer, 1 + at_night(1), budgets, &[COMPLETES]) }
}

/// An event for an instance whose owner keeps it, because a body runs.
pub(crate) fn bodies() -> Protocol {
    let budgets = Budgets { faults: 1, events: 1, crashes: 1, ticks: 1, ..NONE };
    world(Program::EventOrBody, 2, budgets, &[COMPLETES, RECOVERS])
}

/// A child, an outbox that is sent twice, and retention.
pub(crate) fn children() -> Protocol {
    let budgets = Budgets { faults: 1, ..NONE };
    Protocol { workers_fail: false, expires: true, ..world(Program::Parent, 1, budgets, &[COMPLETES]) }
}

/// A child of a parent that is ended or restarted from outside.
pub(crate) fn orphans() -> Protocol {
    let budgets = Budgets { faults: at_night(1), controls: 1, ..NONE };
    let controls = to_instance(&[Operation::Terminate, Operation::Restart]);
    let reaches = &[COMPLETES, COMPLETES_AGAIN, CLOSES];
    Protocol { controls, workers_fail: false, ..world(Program::Parent, 1, budgets, reaches) }
}

/// A child that waits, closed with its parent, or by an operator of its own.
pub(crate) fn families() -> Protocol {
    let budgets = Budgets { faults: 1, controls: 1 + at_night(1), ..NONE };
    let mut controls = to_instance(&[Operation::Terminate, Operation::Restart]);
    controls.extend(
        [Operation::Terminate, Operation::Restart, Operation::Pause, Operation::Delete]
            .map(|what| (Target::Child, what)),
    );
    let reaches = &[COMPLETES, CLOSES];
    Protocol { controls, workers_fail: false, expires: true, ..world(Program::ParentOfEvents, 1, budgets, reaches) }
}

/// Restarts from the beginning and from operations.
pub(crate) fn forks() -> Protocol {
    let budgets = Budgets { faults: 1, controls: 2, ..NONE };
    let all = [Operation::Restart, Operation::RestartFrom(0), Operation::RestartFrom(1)];
    let reaches = &[COMPLETES, COMPLETES_AGAIN, TAKES_OVER];
    Protocol { controls: to_instance(&all), expires: true, ..world(Program::Steps, 1, budgets, reaches) }
}

/// Restarts of what waits for events: what was consumed before, and what was not.
pub(crate) fn forks_of_waits() -> Protocol {
    let budgets = Budgets { faults: 1, controls: 1, events: 2, ..NONE };
    let all = [Operation::Restart, Operation::RestartFrom(0), Operation::RestartFrom(1)];
    let reaches = &[COMPLETES, TAKES_OVER];
    Protocol { controls: to_instance(&all), ..world(Program::TwoEvents, 1, budgets, reaches) }
}

/// Two instances of which one may be driven at a time, and the tokens of two workers.
pub(crate) fn limits() -> Protocol {
    let budgets = Budgets { faults: 1, leases: 4, ..NONE };
    Protocol { limit: Some(1), two: true, ..world(Program::EventOrBody, 2, budgets, &[COMPLETES, TAKES_TURNS]) }
}

/// The same, when a worker is lost that has a token.
pub(crate) fn lost_tokens() -> Protocol {
    let budgets = Budgets { leases: 3, crashes: 1, ticks: 1, ..NONE };
    Protocol { limit: Some(1), two: true, ..world(Program::EventOrBody, 2, budgets, &[RECOVERS, TAKES_TURNS]) }
}

/// A store that loses what it acknowledged, under steps.
pub(crate) fn losses() -> Protocol {
    let budgets = Budgets { losses: 1, faults: at_night(1), ..NONE };
    world(Program::Steps, 2, budgets, &[COMPLETES, COMPLETES_AFTER_LOSS])
}

/// The same under operators and crashes: sessions and controls are lost as well.
pub(crate) fn losses_of_controls() -> Protocol {
    let budgets = Budgets { losses: 1, controls: 1, crashes: at_night(1), ..NONE };
    let controls = to_instance(&[Operation::Pause, Operation::Restart]);
    let reaches = &[COMPLETES, COMPLETES_AFTER_LOSS];
    Protocol { controls, ..world(Program::Steps, 1 + at_night(1), budgets, reaches) }
}

/// The same under events and what is still in memory of those who wait.
pub(crate) fn losses_of_events() -> Protocol {
    let budgets = Budgets { losses: 1, events: 2, ..NONE };
    world(Program::TwoEvents, 1 + at_night(1), budgets, &[COMPLETES, COMPLETES_AFTER_LOSS])
}

/// The same under a child.
pub(crate) fn losses_of_children() -> Protocol {
    let budgets = Budgets { losses: 1, controls: at_night(1), ..NONE };
    let controls = to_instance(&[Operation::Terminate, Operation::Restart]);
    let reaches = &[COMPLETES, COMPLETES_AFTER_LOSS];
    Protocol { controls, ..world(Program::Parent, 1, budgets, reaches) }
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
fn operators_get_what_they_want_while_workers_die() {
    holds(operators_and_crashes());
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
fn an_event_or_its_deadline_ends_a_wait_whatever_happens() {
    holds(deadlines());
}

#[test]
fn an_event_reaches_an_owner_whose_body_runs() {
    holds(bodies());
}

#[test]
fn children_are_created_once_and_their_ends_reach_the_run_that_waits() {
    holds(children());
}

#[test]
fn the_end_of_a_child_reaches_no_other_run_of_its_parent() {
    holds(orphans());
}

#[test]
fn no_child_outlives_its_parent() {
    holds(families());
}

#[test]
fn a_run_that_keeps_a_part_of_another_goes_on_from_there() {
    holds(forks());
}

#[test]
fn a_run_that_keeps_a_part_of_another_loses_no_message() {
    holds(forks_of_waits());
}

#[test]
fn no_more_is_held_than_there_are_tokens() {
    holds(limits());
}

#[test]
fn the_tokens_of_a_lost_worker_come_back_with_what_it_held() {
    holds(lost_tokens());
}

#[test]
fn what_the_store_lost_is_done_again_and_nothing_else() {
    holds(losses());
}

#[test]
fn what_operators_wanted_of_a_store_that_forgot_it_is_forgotten() {
    holds(losses_of_controls());
}

#[test]
fn who_waits_in_memory_for_what_the_store_lost_waits_anew() {
    holds(losses_of_events());
}

#[test]
fn children_and_parents_of_a_store_that_lost_a_part_of_them_come_to_their_ends() {
    holds(losses_of_children());
}

/// The world of `of`, with guards switched off.
pub(crate) fn without(of: Protocol, off: &[Guard]) -> Protocol {
    Protocol { off: off.to_vec(), reaches: &[], ..of }
}
