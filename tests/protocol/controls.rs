//! The negative controls: each guard that is switched off is missed.

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::guards::Guard;
use crate::model::{Happening, Protocol};
use crate::state::State;
use crate::worlds::{bodies, children, events, operators, ownership, without};

/// A counterexample, step by step.
pub(crate) fn tell(path: &Path<State, Happening>) -> String {
    let mut text = String::new();
    for (number, happening) in path.clone().into_actions().iter().enumerate() {
        text.push_str(&format!("{number:3} {happening:?}\n"));
    }
    text.push_str(&format!("{:#?}", path.last_state()));
    text
}

/// Without these guards something goes wrong, and it is found.
fn is_missed(world: Protocol, off: &[Guard]) {
    let started = std::time::Instant::now();
    let checker = without(world, off).checker().finish_when(HasDiscoveries::AnyFailures).threads(2).spawn_bfs().join();
    let discoveries = checker.discoveries();
    eprintln!("{off:?}: {} states, {:?}, {:?}", checker.unique_state_count(), started.elapsed(), discoveries.keys());
    assert!(!discoveries.is_empty(), "nothing misses {off:?}");
}

#[test]
fn a_revoked_session_that_writes_is_seen() {
    is_missed(ownership(), &[Guard::SessionAlive]);
}

#[test]
fn a_write_of_an_old_version_is_seen() {
    is_missed(ownership(), &[Guard::Version]);
}

#[test]
fn a_write_of_an_old_run_is_seen() {
    is_missed(operators(), &[Guard::Version, Guard::Run]);
}

#[test]
fn a_write_of_another_session_is_seen() {
    is_missed(ownership(), &[Guard::Version, Guard::Holder]);
}

#[test]
fn a_suspend_that_overlooks_a_message_is_seen() {
    is_missed(events(), &[Guard::UnseenMessages]);
}

#[test]
fn a_suspend_for_a_pause_that_was_taken_back_is_seen() {
    is_missed(operators(), &[Guard::PauseTakenBack]);
}

#[test]
fn a_write_that_is_forgotten_is_seen() {
    is_missed(ownership(), &[Guard::WriteMemory]);
}

#[test]
fn a_claim_that_is_forgotten_is_seen() {
    is_missed(ownership(), &[Guard::ClaimMemory]);
}

#[test]
fn a_create_that_is_forgotten_is_seen() {
    is_missed(children(), &[Guard::CreateMemory]);
}

#[test]
fn a_control_that_is_forgotten_is_seen() {
    is_missed(operators(), &[Guard::ControlMemory]);
}

#[test]
fn an_event_id_that_is_forgotten_is_seen() {
    is_missed(events(), &[Guard::EventIds]);
}

#[test]
fn the_end_of_a_child_in_the_wrong_run_is_seen() {
    is_missed(children(), &[Guard::ChildRun]);
}

#[test]
fn a_fence_that_does_not_look_at_the_beats_is_seen() {
    is_missed(ownership(), &[Guard::FenceBeats]);
}

#[test]
fn a_fence_that_does_not_look_at_the_lease_is_seen() {
    is_missed(ownership(), &[Guard::FenceLease]);
}

#[test]
fn a_recovery_of_a_session_that_lives_is_seen() {
    is_missed(ownership(), &[Guard::RecoverRevoked]);
}

#[test]
fn a_wake_for_a_dead_session_is_seen() {
    is_missed(dying_sleepers(), &[Guard::StickyAlive]);
}

#[test]
fn a_message_without_a_notice_is_seen() {
    is_missed(bodies(), &[Guard::Notice]);
}

#[test]
fn a_pause_that_dies_with_its_owner_is_seen() {
    is_missed(dying_pauses(), &[Guard::PendingPause]);
}

#[test]
fn the_deletion_of_what_has_something_to_send_is_seen() {
    is_missed(children(), &[Guard::Unsent]);
}

/// Timers and crashes.
fn dying_sleepers() -> Protocol {
    let world = events();
    Protocol { budgets: crate::state::Budgets { crashes: 1, ticks: 1, ..world.budgets }, ..world }
}

/// Pauses and crashes.
fn dying_pauses() -> Protocol {
    let world = operators();
    Protocol { budgets: crate::state::Budgets { faults: 0, crashes: 1, ticks: 1, ..world.budgets }, ..world }
}

/// What one guard prevents, another may prevent as well: the run and the holder of a write are behind its version.
#[test]
fn the_version_alone_stops_writes_of_old_runs_and_other_sessions() {
    for guard in [Guard::Run, Guard::Holder] {
        let checker = without(ownership(), &[guard]).checker().threads(2).spawn_bfs().join();
        assert!(checker.discoveries().is_empty());
    }
}
