//! Restarts, from the beginning and from an operation: what the next run begins with, and how long the one before is
//! kept.

use super::*;
use crate::journal::command::ControlReply;
use crate::journal::head::{Fork, State};
use crate::journal::table::control::control;
use crate::journal::table::own::own;
use crate::journal::table::{Archive, Effects, Hint};

fn step(name: &str) -> Path {
    Path::root().join(Kind::Step, name, None, 0)
}

fn from(name: &str, source: u32) -> Action {
    Action::RestartFrom { path: step(name), source }
}

fn restarted(head: &Head, action: Action) -> (Head, Effects) {
    // Each is another wish.
    let asked = Control { request: RequestId(300 + u128::from(head.run)), ..order(action) };
    let transition = control(Some(head), &asked, NOW);
    assert_eq!(transition.reply, ControlReply::Done(State::Queued));
    (transition.head.expect("another run"), transition.effects)
}

/// When the run before is deleted.
fn kept_until(effects: &Effects) -> Timestamp {
    let [Archive { run: 1, expires_at }] = effects.archives[..] else { panic!("{:?}", effects.archives) };
    expires_at
}

#[test]
fn a_run_that_is_restarted_from_an_operation_keeps_its_source_and_its_mailbox() {
    let source = Head { arrivals: 3, unread: 2, pause: true, shift_ms: 9, ..held() };
    let (next, effects) = restarted(&source, from("a", 1));
    assert_eq!(next.fork, Some(Fork { source: 1, streams: 1, path: step("a"), open: true }));
    assert_eq!((next.run, next.v, next.records, next.journal_bytes), (2, V + 1, 0, 0));
    assert_eq!((next.arrivals, next.unread, next.started_at), (3, 2, source.started_at));
    assert_eq!((next.pause, next.begun, next.shift_ms), (false, false, 0));
    assert!(!effects.clear_mailbox);
    assert!(kept_until(&effects) > later(100 * 365 * 24 * 3_600_000), "as long as it is not taken over");
    assert_eq!(effects.lost_by, Some(MINE), "who held it is told");
    assert!(effects.hints.contains(&Hint::Inbox(MINE)), "{effects:?}");
}

#[test]
fn a_newer_wish_replaces_one_with_which_nobody_has_begun_and_keeps_its_source() {
    let (first, _) = restarted(&held(), from("a", 1));
    let (second, effects) = restarted(&first, from("b", 1));
    assert_eq!(second.fork, Some(Fork { source: 1, streams: 1, path: step("b"), open: true }));
    assert_eq!(second.run, 3);
    let [Archive { run: 2, expires_at }] = effects.archives[..] else { panic!("{:?}", effects.archives) };
    assert!(expires_at < later(100 * 365 * 24 * 3_600_000), "of the run between there is nothing to take over");
}

#[test]
fn a_run_that_has_taken_over_is_a_source_itself_and_its_random_streams_go_on() {
    let fork = Fork { source: 1, streams: 1, path: step("a"), open: false };
    let (next, _) = restarted(&Head { run: 2, fork: Some(fork), ..held() }, from("b", 2));
    assert_eq!(next.fork, Some(Fork { source: 2, streams: 1, path: step("b"), open: true }));
}

#[test]
fn there_is_nothing_to_come_from_without_records_or_in_another_run_than_was_meant() {
    for (head, action) in [(Head { records: 0, ..held() }, from("a", 1)), (held(), from("a", 2))] {
        let transition = control(Some(&head), &order(action), NOW);
        assert_eq!((transition.head, transition.reply), (None, ControlReply::Refused(State::Running)));
    }
}

#[test]
fn a_source_that_is_taken_over_is_kept_as_any_run_that_was_replaced() {
    let fork = Fork { source: 1, streams: 1, path: step("a"), open: true };
    let head = Head { run: 2, fork: Some(fork.clone()), ..held() };
    let mut request = by_owner(Write { records: vec![payload("r")], ..write(Then::Forked) });
    request.owner.run = 2;
    let taken_over = own(Some(&head), &request, true, NOW);
    let closed = Some(Fork { open: false, ..fork });
    assert_eq!(taken_over.head.expect("changed").fork, closed);
    assert_eq!(taken_over.effects.archives, [Archive { run: 1, expires_at: later(120_000) }]);
    // Nor is it of use to a run that begins anew.
    let (_, effects) = restarted(&head, Action::Restart);
    let expires_at = later(120_000);
    assert_eq!(effects.archives, [Archive { run: 2, expires_at }, Archive { run: 1, expires_at }]);
    let (_, effects) = restarted(&Head { fork: closed, ..head }, Action::Restart);
    assert_eq!(effects.archives, [Archive { run: 2, expires_at }], "that was done when it was taken over");
}
