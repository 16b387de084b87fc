//! Sessions: leases, fences, and what a crash costs an instance.

use super::*;
use crate::journal::command::PauseReason;
use crate::journal::head::State;
use crate::journal::lease::LimitName;
use crate::journal::table::control::control;
use crate::journal::table::moves::ready_since;
use crate::journal::table::own::own;
use crate::journal::table::session::{Earlier, Loss, Session, hand_over};
use crate::journal::table::sweep;
use crate::words::limits::CRASHES_MAX;

const LEASE: Duration = Duration::from_secs(10);

fn lost(head: &Head, loss: Loss) -> Head {
    hand_over(&id("i"), head, MINE, loss, NOW).head.expect("moved")
}

fn marked(head: &Head) -> Head {
    let head = Head { place: Place::Held { session: MINE, notice: false }, v: V, last_write: None, ..head.clone() };
    own(Some(&head), &by_owner(write(Then::Mark)), true, NOW).head.expect("marked")
}

#[test]
fn a_session_is_fenced_only_when_its_lease_is_over_and_its_heart_stood_still() {
    let session = Session::open(None, LEASE, NOW).expect("new");
    let over = later(10_000);
    assert_eq!(session.fence(0, later(9_999)), None, "its lease is not over");
    let beaten = session.beat(LEASE, later(1)).expect("alive");
    assert_eq!(beaten.fence(0, later(20_000)), None, "its heart beat since it was looked at");
    assert!(session.fence(0, over).expect("fenced").revoked);
}

#[test]
fn a_session_past_its_lease_lives_until_it_is_revoked_and_then_never_again() {
    let session = Session::open(None, LEASE, NOW).expect("new");
    let beaten = session.beat(LEASE, later(60_000)).expect("alive");
    assert_eq!(beaten.expires_at, later(70_000));
    let revoked = session.fence(0, later(60_000)).expect("fenced");
    assert!(!revoked.alive());
    assert_eq!(revoked.beat(LEASE, later(60_001)), None);
    assert_eq!(Session::open(Some(&revoked), LEASE, later(60_001)), None);
}

#[test]
fn a_session_that_is_opened_again_is_the_same_and_its_lease_begins_anew() {
    let beaten = Session::open(None, LEASE, NOW).and_then(|new| new.beat(LEASE, NOW)).expect("alive");
    let again = Session::open(Some(&beaten), LEASE, later(5)).expect("alive");
    assert_eq!(again, Session { expires_at: later(10_005), ..beaten });
}

#[test]
fn what_its_session_does_not_come_for_goes_to_anyone_after_a_while() {
    let woken = |since| at(Place::Inbox { session: MINE, since, waits: waits() });
    let moved = |since| sweep::unstick(&woken(since), Duration::from_millis(250), NOW).head;
    assert_eq!(moved(ago(249)), None);
    for since in [ago(250), ago(5_000)] {
        let head = moved(since).expect("moved");
        assert_eq!((ready_since(&head), head.v, head.updated_at), (Some(NOW), V + 1, NOW));
    }
    assert_eq!(sweep::unstick(&held(), Duration::ZERO, NOW).head, None);
}

#[test]
fn a_place_in_the_ready_list_says_since_when_it_is_taken() {
    for (priority, begun) in [(0, false), (0, true), (3, false), (9, true)] {
        let spec = Arc::new(InstanceSpec { priority, ..spec() });
        let head = Head { spec, begun, ..at(Place::Inbox { session: MINE, since: ago(9_000), waits: waits() }) };
        let ready = lost(&head, Loss::Closed);
        assert_eq!(ready_since(&ready), Some(NOW), "{priority} {begun}");
        assert_eq!(ready_since(&head), None);
    }
}

#[test]
fn what_a_crashed_session_held_is_suspect_and_what_it_was_to_be_given_is_not() {
    let head = lost(&held(), Loss::Crashed);
    assert_eq!((head.suspect, head.v), (Suspect::Yes { crashes: 0 }, V + 1));
    assert!(matches!(head.place, Place::Ready { .. }));
    let inbox = at(Place::Inbox { session: MINE, since: NOW, waits: waits() });
    assert_eq!(lost(&inbox, Loss::Crashed).suspect, Suspect::No);
}

#[test]
fn only_the_instance_a_worker_tried_alone_is_blamed_and_three_crashes_quarantine_it() {
    let mut head = lost(&held(), Loss::Crashed);
    let bystander = lost(&Head { suspect: Suspect::Yes { crashes: 2 }, ..held() }, Loss::Crashed);
    assert_eq!(bystander.suspect, Suspect::Yes { crashes: 2 });
    for crashes in 1..CRASHES_MAX {
        head = lost(&marked(&head), Loss::Crashed);
        assert_eq!((head.suspect, head.state()), (Suspect::Yes { crashes }, State::Queued));
    }
    head = lost(&marked(&head), Loss::Crashed);
    let reason = PauseReason::Quarantined { crashes: CRASHES_MAX };
    assert!(matches!(head.place, Place::Paused { reason: found, .. } if found == reason));
}

#[test]
fn a_resumed_quarantine_starts_counting_anew_but_is_tried_alone() {
    let paused = Place::Paused { reason: PauseReason::Quarantined { crashes: 3 }, since: NOW, waits: Vec::new() };
    let head = Head { suspect: Suspect::Yes { crashes: 3 }, ..at(paused) };
    let head = control(Some(&head), &order(Action::Resume), NOW).head.expect("resumed");
    assert_eq!(head.suspect, Suspect::Yes { crashes: 0 });
}

#[test]
fn a_record_a_suspend_of_the_marked_and_a_clear_take_the_suspicion_away() {
    let suspicion = |then, records: Vec<Payload>, suspect| {
        let head = Head { suspect, ..held() };
        own(Some(&head), &by_owner(Write { records, ..write(then) }), true, NOW).head.expect("changed").suspect
    };
    let yes = Suspect::Yes { crashes: 1 };
    let marked = Suspect::Marked { crashes: 1 };
    assert_eq!(suspicion(Then::Hold, vec![payload("r")], marked), Suspect::No);
    assert_eq!(suspicion(Then::Hold, Vec::new(), marked), marked);
    assert_eq!(suspicion(suspend(waits()), Vec::new(), marked), Suspect::No);
    assert_eq!(suspicion(suspend(waits()), Vec::new(), yes), yes, "nobody tried it");
    assert_eq!(suspicion(Then::Clear, Vec::new(), marked), Suspect::No);
    assert_eq!(suspicion(Then::Mark, Vec::new(), yes), marked);
    assert_eq!(suspicion(Then::Release, Vec::new(), marked), yes, "given back in good order: no crash is counted");
}

#[test]
fn a_session_closed_in_good_order_leaves_no_suspects() {
    assert_eq!(lost(&held(), Loss::Closed).suspect, Suspect::No);
    let marked = Head { suspect: Suspect::Marked { crashes: 1 }, ..held() };
    assert_eq!(lost(&marked, Loss::Closed).suspect, Suspect::Yes { crashes: 1 });
}

#[test]
fn a_pause_that_its_owner_could_not_answer_takes_effect_when_the_session_is_lost() {
    for loss in [Loss::Crashed, Loss::Closed] {
        let head = lost(&Head { pause: true, ..held() }, loss);
        assert!(matches!(head.place, Place::Paused { reason: PauseReason::Operator, .. }));
        assert!(!head.pause);
    }
}

#[test]
fn a_claim_is_remembered_until_a_newer_one_gives_something_and_older_copies_give_nothing() {
    let mut session = Session::open(None, LEASE, NOW).expect("new");
    session.lose(&id("lost"));
    let numbered = |number| Claim { number, ..claim(SessionId(1), "order") };
    assert!(!session.claimed(&numbered(1), &[], &[]));
    assert_eq!(session.lost, [id("lost")], "it was not told of it");
    assert!(session.claimed(&numbered(1), &[], &[id("i"), id("lost")]));
    assert_eq!(session.lost, []);
    assert!(!session.claimed(&numbered(2), &[], &[]));
    assert!(matches!(session.earlier(1), Earlier::Repeated(memory) if memory.notices.len() == 2));
    assert_eq!(session.earlier(2), Earlier::Nothing);
    assert!(session.claimed(&numbered(2), &[], &[id("i")]));
    assert!(matches!(session.earlier(2), Earlier::Repeated(memory) if memory.notices.len() == 1));
    assert_eq!(session.earlier(1), Earlier::Late);
    assert!(!session.claimed(&numbered(2), &[], &[id("i"), id("j")]), "what a claim gave first is what it gave");
    assert!(matches!(session.earlier(2), Earlier::Repeated(memory) if memory.notices.len() == 1));
}

#[test]
fn a_claim_that_had_tokens_is_remembered_though_it_gave_nothing() {
    let mut session = Session::open(None, LEASE, NOW).expect("new");
    let name = LimitName::Workflow(WorkflowName::new("order").expect("valid"));
    let with = |tokens| Claim { number: 1, limits: vec![(name.clone(), tokens)], ..claim(SessionId(1), "order") };
    assert!(!session.claimed(&with(0), &[], &[]));
    assert_eq!(session.earlier(1), Earlier::Nothing);
    assert!(session.claimed(&with(1), &[], &[]));
    // Its tokens may be back in the store when a copy of it comes.
    assert!(matches!(session.earlier(1), Earlier::Repeated(memory) if memory.given.is_empty()));
}
