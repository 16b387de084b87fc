//! The negative controls: each guard that is switched off is missed.

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::guards::Guard;
use crate::model::{Happening, Protocol};
use crate::state::State;
use crate::worlds::{
    bodies, children, events, families, forks, limits, losses, lost_tokens, operators, orphans, ownership, without,
};

/// Something is stuck.
const STUCK: &str = "everything goes on when nothing fails any more";
/// What is stored cannot be the work of one owner at a time.
const UNSOUND: &str = "what is kept makes sense";

/// A counterexample, step by step.
pub(crate) fn tell(path: &Path<State, Happening>) -> String {
    let mut text = String::new();
    for (number, happening) in path.clone().into_actions().iter().enumerate() {
        text.push_str(&format!("{number:3} {happening:?}\n"));
    }
    text.push_str(&format!("{:#?}", path.last_state()));
    text
}

/// Without these guards one of the rules is broken that say so, and it is found: the shortest way there is printed.
fn breaks(rules: &[&str], world: Protocol, off: &[Guard]) {
    let started = std::time::Instant::now();
    let checker = without(world, off).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, took) = (checker.unique_state_count(), started.elapsed());
    let found = checker.discoveries();
    let steps_of = |path: &Path<State, Happening>| Path::clone(path).into_actions().len();
    let broken = found.iter().map(|(property, path)| (path.last_state().seen.broken.unwrap_or(property), path));
    let Some((rule, path)) = broken.min_by_key(|(_, path)| steps_of(path)) else {
        panic!("nothing misses {off:?}: {states} states, {took:?}");
    };
    let steps = steps_of(path);
    eprintln!("{off:?}: {rule}, after {steps} happenings; {states} states, {took:?}");
    assert!(rules.contains(&rule), "without {off:?}: {rule}\n{}", tell(path));
}

#[test]
fn a_revoked_session_that_writes_is_seen() {
    breaks(&["a revoked session wrote"], ownership(), &[Guard::SessionAlive]);
}

#[test]
fn a_write_of_an_old_version_is_seen() {
    breaks(&[UNSOUND], ownership(), &[Guard::Version]);
}

#[test]
fn a_write_of_an_old_run_is_seen() {
    breaks(&[UNSOUND], operators(), &[Guard::Version, Guard::Run]);
}

#[test]
fn a_write_of_another_session_is_seen() {
    breaks(&[UNSOUND], ownership(), &[Guard::Version, Guard::Holder]);
}

#[test]
fn a_suspend_that_overlooks_a_message_is_seen() {
    breaks(&[STUCK], events(), &[Guard::UnseenMessages]);
}

#[test]
fn a_suspend_for_a_pause_that_was_taken_back_is_seen() {
    breaks(&[STUCK], operators(), &[Guard::PauseTakenBack]);
}

#[test]
fn a_write_that_is_forgotten_is_seen() {
    breaks(&[STUCK], ownership(), &[Guard::WriteMemory]);
}

#[test]
fn a_claim_that_is_forgotten_is_seen() {
    breaks(&[STUCK], ownership(), &[Guard::ClaimMemory]);
}

#[test]
fn a_create_that_is_forgotten_is_seen() {
    breaks(&["no parent is told that a child was not created"], children(), &[Guard::CreateMemory]);
}

#[test]
fn a_control_that_is_forgotten_is_seen() {
    breaks(&["a control was carried out twice"], operators(), &[Guard::ControlMemory]);
}

#[test]
fn an_event_id_that_is_forgotten_is_seen() {
    breaks(&[UNSOUND], events(), &[Guard::EventIds]);
}

#[test]
fn the_end_of_a_child_in_the_wrong_run_is_seen() {
    breaks(&[STUCK, "a message reached another run than the one it was for"], orphans(), &[Guard::ChildRun]);
}

#[test]
fn a_fence_that_does_not_look_at_the_beats_is_seen() {
    breaks(&["a session was fenced that lives"], ownership(), &[Guard::FenceBeats]);
}

#[test]
fn a_fence_that_does_not_look_at_the_lease_is_seen() {
    breaks(&["a session was fenced that lives"], ownership(), &[Guard::FenceLease]);
}

#[test]
fn a_recovery_of_a_session_that_lives_is_seen() {
    breaks(&["work was taken from a session that lives"], ownership(), &[Guard::RecoverRevoked]);
}

#[test]
fn a_wake_for_a_dead_session_is_seen() {
    breaks(&[STUCK], dying_sleepers(), &[Guard::StickyAlive]);
}

#[test]
fn a_message_without_a_notice_is_seen() {
    breaks(&[STUCK], bodies(), &[Guard::Notice]);
}

#[test]
fn a_pause_that_dies_with_its_owner_is_seen() {
    breaks(&[STUCK, "a pause was forgotten"], dying_pauses(), &[Guard::PendingPause]);
}

#[test]
fn the_deletion_of_what_has_something_to_send_is_seen() {
    breaks(&["what was to be sent was deleted"], children(), &[Guard::Unsent]);
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

#[test]
fn an_owner_ahead_of_the_store_that_writes_is_seen() {
    breaks(&["an owner ahead of the store was not told"], losses(), &[Guard::LossNoticed, Guard::Behind]);
}

#[test]
fn a_loss_that_is_not_noticed_is_seen() {
    breaks(&[STUCK], losses(), &[Guard::LossNoticed]);
}

#[test]
fn a_loss_that_takes_no_time_is_seen() {
    breaks(&[STUCK], losses(), &[Guard::LossTakesTime]);
}

#[test]
fn a_late_request_for_tokens_is_seen() {
    breaks(&["a worker has tokens that the store does not count"], limits(), &[Guard::LeaseNumber]);
}

#[test]
fn tokens_for_a_revoked_session_are_seen() {
    breaks(&[STUCK, "a revoked session leased tokens"], lost_tokens(), &[Guard::LeaseAlive]);
}

#[test]
fn tokens_that_are_given_before_what_has_them_is_taken_over_are_seen() {
    breaks(&["a worker has tokens that the store does not count"], lost_tokens(), &[Guard::LeaseKnown]);
}

#[test]
fn a_claim_of_more_than_its_tokens_is_seen() {
    breaks(&["more is held than the limit"], limits(), &[Guard::Tokens]);
}

#[test]
fn a_restart_from_another_run_than_was_looked_at_is_seen() {
    breaks(&[STUCK, "the source of a fork has not its operation"], forks(), &[Guard::ForkSource]);
}

#[test]
fn the_deletion_of_what_a_run_comes_from_is_seen() {
    breaks(&[STUCK, "the source of a fork has not its operation"], forks(), &[Guard::ForkKept]);
}

#[test]
fn an_end_after_the_end_is_seen() {
    breaks(&["a run has two outcomes"], operators(), &[Guard::Ended]);
}

#[test]
fn a_child_that_is_not_closed_with_its_parent_is_seen() {
    breaks(&[STUCK], families(), &[Guard::Children]);
}
