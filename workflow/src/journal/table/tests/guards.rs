//! What an owner may not write, what a sender may not send, and what a repeat is answered.

use super::*;
use crate::journal::command::{CreateReply, OwnReply, SendReply};
use crate::journal::table::Hint;
use crate::journal::table::claim::{Taken, again};
use crate::journal::table::create::{self, create};
use crate::journal::table::own::own;
use crate::journal::table::send::{Facts, send};
use crate::words::limits::{EVENTS_MAX, JOURNAL_BYTES_MAX, MAILBOX_MAX, RECORDS_MAX};

fn refused(head: &Head, request: &OwnerWrite, alive: bool) -> OwnReply {
    let transition = own(Some(head), request, alive, NOW);
    assert_eq!(transition.head, None, "a refused write changes nothing");
    transition.reply
}

fn from(change: impl FnOnce(&mut Owner)) -> OwnerWrite {
    let mut request = by_owner(Write { records: vec![payload("r")], ..write(Then::Hold) });
    change(&mut request.owner);
    request
}

fn granted(reply: OwnReply) -> crate::journal::command::Granted {
    match reply {
        OwnReply::Ok(granted) | OwnReply::Continue(granted) => granted,
        other => panic!("not granted: {other:?}"),
    }
}

#[test]
fn a_revoked_session_writes_nothing() {
    assert_eq!(refused(&held(), &from(|_| {}), false), OwnReply::Fenced);
}

#[test]
fn another_session_an_older_run_and_an_older_version_are_stale() {
    assert_eq!(refused(&held(), &from(|owner| owner.session = OTHER), true), OwnReply::Stale);
    assert_eq!(refused(&Head { run: 2, ..held() }, &from(|_| {}), true), OwnReply::Stale);
    assert_eq!(refused(&held(), &from(|owner| owner.v = V - 1), true), OwnReply::Stale);
}

#[test]
fn an_owner_that_has_seen_more_than_the_store_proves_that_the_store_lost_writes() {
    assert_eq!(refused(&held(), &from(|owner| owner.v = V + 1), true), OwnReply::Behind);
    assert_eq!(refused(&held(), &from(|owner| owner.run = 2), true), OwnReply::Behind);
    // Such a store has lost the session and the place as well: that must not hide it.
    let before_the_claim = at(Place::Ready { score: 0 });
    assert_eq!(refused(&before_the_claim, &from(|owner| owner.v = V + 1), false), OwnReply::Behind);
}

#[test]
fn an_instance_made_anew_under_a_deleted_id_repeats_no_version_of_the_old() {
    let old = create(None, &make(1, Some(MINE)), create::Facts { alive: true, ready_empty: true }, NOW);
    let new = create(None, &make(2, Some(MINE)), create::Facts { alive: true, ready_empty: true }, later(1_000));
    let old_v = old.head.expect("created").v;
    let new = new.head.expect("created");
    assert!(new.v > old_v + 100);
    assert_eq!(refused(&new, &from(|owner| owner.v = old_v), true), OwnReply::Stale);
}

#[test]
fn a_store_that_lost_writes_repeats_no_version_once_its_clock_has_passed_them() {
    let lost = granted(own(Some(&held()), &from(|_| {}), true, NOW).reply).v;
    let given = |then, at| own(Some(&held()), &by_owner(write(then)), true, at);
    let again = granted(given(Then::Hold, later(1_000)).reply).v;
    assert_eq!((lost, again), (V + 1, V - 50 + 1_000));
    let woken = given(Then::Suspend { waits: vec![], paused: false }, later(2_000)).head.expect("changed");
    assert_eq!(woken.v, V - 50 + 2_000);
}

#[test]
fn a_write_that_would_pass_the_limits_is_refused_but_an_end_without_records_is_not() {
    let full = Head { records: RECORDS_MAX, ..held() };
    assert_eq!(refused(&full, &from(|_| {}), true), OwnReply::Full);
    let heavy = Head { journal_bytes: JOURNAL_BYTES_MAX, ..held() };
    assert_eq!(refused(&heavy, &from(|_| {}), true), OwnReply::Full);
    let ended = own(Some(&full), &by_owner(write(finish())), true, NOW);
    assert!(matches!(ended.head.expect("changed").place, Place::Done { .. }));
    let last = Head { records: RECORDS_MAX - 1, ..held() };
    assert!(matches!(own(Some(&last), &from(|_| {}), true, NOW).reply, OwnReply::Ok(_)));
    let last = Head { journal_bytes: JOURNAL_BYTES_MAX - 1, ..held() };
    assert!(matches!(own(Some(&last), &from(|_| {}), true, NOW).reply, OwnReply::Ok(_)), "of one byte");
}

#[test]
fn a_write_brings_what_its_owner_has_not_seen_and_no_more() {
    let brings = |arrivals, unread, seen| {
        let head = Head { arrivals, unread, ..held() };
        own(Some(&head), &by_owner(Write { seen, ..write(Then::Hold) }), true, NOW).effects.messages_after
    };
    assert_eq!(brings(3, 1, 2), Some(2));
    assert_eq!(brings(3, 1, 3), None, "it is unread, and its owner knows of it");
    assert_eq!(brings(3, 0, 2), None, "all were consumed");
}

#[test]
fn a_write_appends_consumes_and_queues_in_one_transition() {
    let head = Head { arrivals: 3, unread: 2, shift_ms: 70, suspect: Suspect::Yes { crashes: 1 }, ..held() };
    let request = by_owner(Write {
        records: vec![payload("one"), payload("two")],
        consumed: vec![2],
        seen: 3,
        outgoing: vec![child("c", ParentClose::Terminate)],
        shifted_ms: 50,
        then: Then::Hold,
    });
    let transition = own(Some(&head), &request, true, NOW);
    let next = transition.head.expect("changed");
    assert_eq!((next.records, next.journal_bytes, next.unread, next.shift_ms), (4, 26, 1, 20));
    assert_eq!((next.suspect, next.v, next.outgoing), (Suspect::No, V + 1, 1));
    assert_eq!(next.children, [id("c")]);
    assert_eq!(transition.effects.append.len(), 2);
    assert_eq!(transition.effects.consume, [2]);
    assert_eq!(transition.effects.outgoing, [(1, child("c", ParentClose::Terminate))]);
    assert_eq!(transition.effects.messages_after, None, "everything was seen");
}

#[test]
fn a_repeated_write_is_answered_as_the_first_and_changes_nothing() {
    let request = from(|_| {});
    let first = own(Some(&held()), &request, true, NOW);
    let head = first.head.expect("changed");
    let repeat = own(Some(&head), &request, true, later(5));
    assert_eq!(repeat.head, None);
    assert_eq!(granted(repeat.reply).v, granted(first.reply).v);
}

#[test]
fn a_repeated_write_brings_the_messages_that_came_since() {
    let request = from(|_| {});
    let head = own(Some(&held()), &request, true, NOW).head.expect("changed");
    let facts = Facts { known: false, alive: true };
    let head = send(Some(&head), &event("e"), facts, later(3)).head.expect("changed");
    let repeat = own(Some(&head), &request, true, later(5));
    assert_eq!(repeat.effects.messages_after, Some(0));
    assert_eq!(granted(repeat.reply).now, later(5));
}

#[test]
fn a_repeated_suspend_is_answered_as_done_though_it_was_woken_and_taken_since() {
    let request = by_owner(write(suspend(waits())));
    let head = own(Some(&held()), &request, true, NOW).head.expect("changed");
    let head = send(Some(&head), &event("e"), Facts { known: false, alive: true }, NOW).head.expect("woken");
    let head = taken(&head, &claim(MINE, "order"), NOW).head.expect("taken");
    let repeat = own(Some(&head), &request, true, NOW);
    assert_eq!((repeat.head, repeat.effects.messages_after), (None, None));
    assert_eq!(granted(repeat.reply).v, V + 1, "the version of then: nothing else can be written with it");
}

#[test]
fn a_suspend_with_an_unseen_message_or_a_due_timer_goes_on() {
    let unseen = Head { arrivals: 1, unread: 1, ..held() };
    let transition = own(Some(&unseen), &by_owner(write(suspend(waits()))), true, NOW);
    assert!(matches!(transition.reply, OwnReply::Continue(_)));
    assert_eq!(transition.effects.messages_after, Some(0));
    assert!(transition.head.expect("changed").held_by(MINE));

    let transition = own(Some(&held()), &by_owner(write(suspend(waits()))), true, later(10_000));
    assert!(matches!(transition.reply, OwnReply::Continue(_)));
}

#[test]
fn a_suspend_that_goes_on_keeps_its_records() {
    let unseen = Head { arrivals: 1, unread: 1, ..held() };
    let request = by_owner(Write { records: vec![payload("r")], ..write(suspend(waits())) });
    let transition = own(Some(&unseen), &request, true, NOW);
    assert_eq!(transition.effects.append, [payload("r")]);
    assert_eq!(transition.head.expect("changed").records, 3);
}

#[test]
fn a_second_message_of_one_id_changes_nothing() {
    let transition = send(Some(&asleep()), &event("e"), Facts { known: true, alive: true }, NOW);
    assert_eq!((transition.head, transition.reply), (None, SendReply::Accepted));
}

#[test]
fn a_full_mailbox_refuses_events_but_never_the_end_of_a_child() {
    let facts = Facts { known: false, alive: true };
    for full in [Head { unread: MAILBOX_MAX, ..held() }, Head { arrivals: EVENTS_MAX, ..held() }] {
        assert_eq!(send(Some(&full), &event("e"), facts, NOW).reply, SendReply::Full);
        let known = Facts { known: true, ..facts };
        assert_eq!(send(Some(&full), &event("e"), known, NOW).reply, SendReply::Accepted, "it is in already");
        let message = NewMessage { channel: Channel::child(&id("c")), ..event("c:1").message };
        let end = Send { run: Some(1), message, ..event("c:1") };
        assert_eq!(send(Some(&full), &end, facts, NOW).reply, SendReply::Accepted);
    }
    let nearly = Head { unread: MAILBOX_MAX - 1, arrivals: EVENTS_MAX - 1, ..held() };
    assert_eq!(send(Some(&nearly), &event("e"), facts, NOW).reply, SendReply::Accepted);
}

#[test]
fn a_message_wakes_only_who_waits_for_its_channel_and_prefers_who_has_it_in_memory() {
    let facts = Facts { known: false, alive: true };
    let woken = send(Some(&asleep()), &event("e"), facts, NOW).head.expect("changed");
    assert_eq!(woken.place, Place::Inbox { session: MINE, since: NOW, waits: waits() });
    let woken = send(Some(&asleep()), &event("e"), Facts { alive: false, ..facts }, NOW).head.expect("changed");
    assert!(matches!(woken.place, Place::Ready { .. }));
    let mut other = event("e");
    other.message.channel = Channel::event("paid", "another key");
    let still = send(Some(&asleep()), &other, facts, NOW).head.expect("changed");
    assert_eq!((still.place, still.v, still.unread), (asleep().place, V, 1));
}

#[test]
fn the_end_of_a_child_takes_it_off_the_list_of_those_to_close() {
    let head = Head { children: vec![id("a"), id("c")], ..asleep() };
    let message = NewMessage { channel: Channel::child(&id("c")), ..event("c:1").message };
    let end = Send { run: Some(1), message, ..event("c:1") };
    let next = send(Some(&head), &end, Facts { known: false, alive: true }, NOW).head.expect("changed");
    assert_eq!(next.children, [id("a")]);
}

#[test]
fn a_create_is_handed_over_only_to_a_living_session_with_nothing_before_it() {
    let free = create::Facts { alive: true, ready_empty: true };
    let claimed = |facts, make: &Create| match create(None, make, facts, NOW).reply {
        CreateReply::Created { claimed } => claimed,
        CreateReply::Exists { .. } => panic!("nothing exists"),
    };
    assert!(claimed(free, &make(1, Some(MINE))).is_some());
    assert!(claimed(free, &make(1, None)).is_none());
    assert!(claimed(create::Facts { alive: false, ..free }, &make(1, Some(MINE))).is_none());
    assert!(claimed(create::Facts { ready_empty: false, ..free }, &make(1, Some(MINE))).is_none());
    let mut tomorrow = make(1, Some(MINE));
    tomorrow.spec = Arc::new(InstanceSpec { start_at: Some(later(1)), ..spec() });
    assert!(claimed(free, &tomorrow).is_none());
    tomorrow.spec = Arc::new(InstanceSpec { start_at: Some(NOW), ..spec() });
    assert!(claimed(free, &tomorrow).is_some(), "a start time that has come does not matter");
}

#[test]
fn a_repeated_create_hands_over_again_until_something_was_written() {
    let free = create::Facts { alive: true, ready_empty: true };
    let request = make(1, Some(MINE));
    let head = create(None, &request, free, NOW).head.expect("created");
    let again = |head: &Head| match create(Some(head), &request, free, later(9)).reply {
        CreateReply::Created { claimed } => claimed.is_some(),
        CreateReply::Exists { .. } => panic!("the request is the same"),
    };
    assert!(again(&head));
    let owner = Owner { id: id("i"), session: MINE, run: 1, v: head.v };
    let first = OwnerWrite { request: RequestId(100), owner, write: write(Then::Hold) };
    let head = own(Some(&head), &first, true, NOW).head.expect("changed");
    assert!(!again(&head));
}

#[test]
fn a_repeated_create_hands_over_nothing_to_a_session_that_is_lost_or_has_it_not() {
    let request = make(1, Some(MINE));
    let again = |head: &Head, alive| {
        let facts = create::Facts { alive, ready_empty: true };
        match create(Some(head), &request, facts, later(9)).reply {
            CreateReply::Created { claimed } => claimed.is_some(),
            CreateReply::Exists { .. } => panic!("the request is the same"),
        }
    };
    let head = create(None, &request, create::Facts { alive: true, ready_empty: true }, NOW).head.expect("created");
    assert!(again(&head, true));
    assert!(!again(&head, false));
    let elsewhere = Head { place: Place::Held { session: OTHER, notice: false }, ..head.clone() };
    let ready = Head { place: Place::Ready { score: 0 }, ..head };
    assert!(!again(&elsewhere, true) && !again(&ready, true));
}

#[test]
fn a_create_with_a_first_message_delivers_it_and_says_where_the_instance_is() {
    let message = event("first").message;
    let made = |local, alive, start_at| {
        let spec = Arc::new(InstanceSpec { start_at, ..spec() });
        let make = Create { message: Some(message.clone()), spec, ..make(1, local) };
        create(None, &make, create::Facts { alive, ready_empty: true }, NOW)
    };
    let ready = Hint::Ready(QueueName::new("q").expect("valid"));
    for (transition, after, hints) in [
        (made(Some(MINE), true, None), Some(0), vec![]),
        (made(Some(MINE), false, None), None, vec![ready]),
        (made(Some(MINE), true, Some(later(5))), None, vec![Hint::Timer(later(5))]),
    ] {
        let head = transition.head.expect("created");
        let delivered = transition.effects.deliver.expect("a message");
        assert_eq!((delivered.seq, delivered.at, &delivered.message), (1, NOW, &message));
        assert_eq!((head.arrivals, head.unread, head.begun), (1, 1, after.is_some()));
        assert_eq!((transition.effects.messages_after, transition.effects.hints), (after, hints));
    }
}

#[test]
fn priority_comes_before_age_by_thirty_seconds_a_step_and_what_has_begun_before_both() {
    let facts = create::Facts { alive: false, ready_empty: true };
    let score = |priority, now| {
        let make = Create { spec: Arc::new(InstanceSpec { priority, ..spec() }), ..make(1, None) };
        match create(None, &make, facts, now).head.expect("created").place {
            Place::Ready { score } => score,
            other => panic!("{other:?}"),
        }
    };
    assert!(score(0, NOW) < score(1, NOW));
    assert!(score(1, NOW) < score(0, later(30_001)), "and it does not starve");
    let woken = send(Some(&asleep()), &event("e"), Facts { known: false, alive: false }, NOW).head.expect("woken");
    assert!(matches!(woken.place, Place::Ready { score: woken } if woken < score(0, ago(3_600_000))));
}

#[test]
fn a_repeated_claim_gives_again_what_is_still_held_as_it_was_given() {
    let claim = claim(MINE, "order");
    let head = taken(&at(Place::Ready { score: 0 }), &claim, NOW).head.expect("taken");
    let given = |head: &Head| matches!(again(&id("i"), Some(head), &claim, V + 1, NOW).reply, Taken::Given(_));
    assert!(given(&head));
    assert!(!given(&Head { v: V + 2, ..head.clone() }));
    assert!(!given(&at(Place::Ready { score: 0 })));
    assert_eq!(again(&id("i"), None, &claim, V + 1, NOW).reply, Taken::Left);
}
