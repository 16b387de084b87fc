//! Sessions: they live by their beat, are revoked first and emptied then, and what they held is handled with care.

use std::time::Duration;

use workflow::journal::command::{Action, Command, OwnReply, PauseReason, Reply, Then, Write};
use workflow::journal::head::{Place, State};
use workflow::store::Beat;
use workflow::words::id::SessionId;

use crate::world::{LEASE, World, finish, names, payload, record, suspend, wait_for, write};

on_every_store!(
    a_session_is_listed_with_its_beats_and_its_lease,
    a_session_that_beats_is_not_fenced,
    a_session_whose_last_beat_did_not_arrive_everywhere_is_fenced_all_the_same,
    a_session_that_is_merely_late_can_still_write_until_it_is_revoked,
    a_revoked_session_writes_nothing_and_stays_revoked,
    what_a_lost_session_held_moves_a_few_at_a_time_and_the_session_is_forgotten,
    a_session_with_nothing_left_is_forgotten_by_the_first_recovery,
    recovery_of_a_session_that_lives_moves_nothing,
    a_closed_session_gives_everything_back_at_once,
    a_pause_that_waited_for_a_lost_owner_takes_effect,
    a_wake_for_a_session_that_is_gone_goes_to_anyone,
    opening_a_session_again_changes_nothing_but_its_lease,
    a_trial_that_ends_in_a_wait_clears_the_suspect,
    only_a_crash_during_a_trial_is_counted,
);

fn a_trial_that_ends_in_a_wait_clears_the_suspect(w: &mut World) {
    let session = w.open(1);
    w.hold("i", session);
    w.crash(session);
    let other = w.open(2);
    let mut suspect = w.claim_one(other);
    assert!(suspect.suspect);
    w.done(&mut suspect, write(Then::Mark));
    w.done(&mut suspect, suspend(vec![wait_for("paid")]));
    w.send("i", "paid", "e");
    assert!(!w.claim_one(other).suspect);
}

/// Its worker stopped in order during a trial: those that crash later, not trying it, say nothing of it.
fn only_a_crash_during_a_trial_is_counted(w: &mut World) {
    let session = w.open(1);
    w.hold("i", session);
    w.crash(session);
    for number in 0..4 {
        let tries = w.open(10 + number);
        let mut tried = w.claim_one(tries);
        assert!(tried.suspect, "{number}");
        w.done(&mut tried, write(Then::Mark));
        w.done(&mut tried, write(Then::Release));
        let crashes = w.open(20 + number);
        w.claim_one(crashes);
        w.crash(crashes);
    }
    assert_eq!(w.state("i"), State::Queued);
}

fn a_session_is_listed_with_its_beats_and_its_lease(w: &mut World) {
    let session = w.open(1);
    let view = w.session(session).expect("listed");
    assert_eq!((view.beats, view.expires_at, view.revoked), (0, w.in_ms(10_000), false));
    w.advance(3_000);
    assert_eq!(w.beat(session), Beat::Alive);
    let view = w.session(session).expect("listed");
    assert_eq!((view.beats, view.expires_at), (1, w.in_ms(10_000)));
    assert_eq!(w.beat(SessionId(9)), Beat::Fenced);
}

fn a_session_that_beats_is_not_fenced(w: &mut World) {
    let session = w.open(1);
    let fence = |beats| Command::Fence { session, beats };
    w.advance(9_999);
    assert_eq!(w.apply(fence(0)), Reply::Fence(false), "its lease is not over");
    w.beat(session);
    w.advance(10_000);
    assert_eq!(w.apply(fence(0)), Reply::Fence(false), "it has beaten since it was looked at");
    assert_eq!(w.apply(fence(1)), Reply::Fence(true));
    assert_eq!(w.apply(fence(1)), Reply::Fence(true));
    assert_eq!(w.apply(Command::Fence { session: SessionId(9), beats: 0 }), Reply::Fence(true), "unknown is revoked");
}

fn a_session_whose_last_beat_did_not_arrive_everywhere_is_fenced_all_the_same(w: &mut World) {
    let session = w.open(1);
    w.beat(session);
    w.advance(10_000);
    assert_eq!(w.apply(Command::Fence { session, beats: 2 }), Reply::Fence(true));
}

fn a_session_that_is_merely_late_can_still_write_until_it_is_revoked(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.advance(60_000);
    w.done(&mut held, record("late"));
    assert_eq!(w.beat(session), Beat::Alive);
}

fn a_revoked_session_writes_nothing_and_stays_revoked(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.lose(session);
    assert!(w.session(session).expect("listed until it is recovered").revoked);
    let with_records = |then: Then| Write { records: vec![payload("late")], ..write(then) };
    for late in [
        record("late"),
        finish("late"),
        with_records(finish("late").then),
        suspend(vec![wait_for("x")]),
        with_records(suspend(vec![wait_for("x")]).then),
        write(Then::Park(PauseReason::Operator)),
        write(Then::Release),
        write(Then::Clear),
        write(Then::Mark),
        write(Then::Hold),
    ] {
        let what = format!("{late:?}");
        assert_eq!(w.own(&mut held, late), OwnReply::Fenced, "{what}");
    }
    assert_eq!(w.beat(session), Beat::Fenced);
    assert_eq!(w.count(Command::OpenSession { session, lease: LEASE }), 0);
    assert_eq!(w.state("i"), State::Running, "revoked first, moved then");
}

fn what_a_lost_session_held_moves_a_few_at_a_time_and_the_session_is_forgotten(w: &mut World) {
    let (session, other) = (w.open(1), w.open(2));
    for name in ["a", "b", "c"] {
        w.make(name);
    }
    w.claim(session);
    w.advance(1);
    w.beat(other);
    w.lose(session);
    assert_eq!(w.count(Command::Recover { session, limit: 2 }), 2);
    assert!(w.session(session).is_some());
    assert_eq!(w.count(Command::Recover { session, limit: 2 }), 1);
    assert!(w.session(session).is_none());
    assert_eq!(w.count(Command::Recover { session, limit: 2 }), 0);
    let given = w.claim(other);
    assert_eq!(names(&given), ["a", "b", "c"]);
    assert!(given.iter().all(|held| held.suspect));
}

fn a_session_with_nothing_left_is_forgotten_by_the_first_recovery(w: &mut World) {
    let session = w.open(1);
    w.lose(session);
    assert_eq!(w.count(Command::Recover { session, limit: 2 }), 0);
    assert!(w.session(session).is_none());
}

fn recovery_of_a_session_that_lives_moves_nothing(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.advance(60_000);
    assert_eq!(w.count(Command::Recover { session, limit: 10 }), 0);
    w.done(&mut held, record("one"));
}

fn a_closed_session_gives_everything_back_at_once(w: &mut World) {
    let (session, other) = (w.open(1), w.open(2));
    let mut held = w.hold("held", session);
    let mut inbox = w.hold("inbox", session);
    w.done(&mut inbox, suspend(vec![wait_for("paid")]));
    w.send("inbox", "paid", "e");
    assert_eq!(w.count(Command::CloseSession { session }), 2);
    assert!(w.session(session).is_none());
    assert_eq!(w.count(Command::CloseSession { session }), 0);
    let given = w.claim(other);
    assert_eq!(names(&given), ["held", "inbox"]);
    assert!(given.iter().all(|held| !held.suspect), "in good order");
    assert_eq!(w.own(&mut held, record("late")), OwnReply::Fenced);
}

fn a_pause_that_waited_for_a_lost_owner_takes_effect(w: &mut World) {
    let session = w.open(1);
    w.hold("i", session);
    w.control("i", Action::Pause);
    w.crash(session);
    assert!(matches!(w.head("i").place, Place::Paused { reason: PauseReason::Operator, .. }));
    w.control("i", Action::Resume);
    assert!(w.claim_one(w.open(2)).suspect, "its crash is not forgotten");
}

fn a_wake_for_a_session_that_is_gone_goes_to_anyone(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, Write { records: vec![payload("r")], ..suspend(vec![wait_for("paid")]) });
    w.count(Command::CloseSession { session });
    w.send("i", "paid", "e");
    assert_eq!(w.claim_one(w.open(2)).event_ids(), ["e"]);
}

fn opening_a_session_again_changes_nothing_but_its_lease(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.beat(session);
    w.advance(2_000);
    assert_eq!(w.count(Command::OpenSession { session, lease: Duration::from_secs(30) }), 1);
    let view = w.session(session).expect("listed");
    assert_eq!((view.beats, view.expires_at), (1, w.in_ms(30_000)));
    w.done(&mut held, write(Then::Hold));
}
