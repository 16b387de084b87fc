//! The end of a run: one outcome, the parent told, children closed, everything deleted in time.

use super::*;
use crate::journal::command::{Command, OwnReply};
use crate::journal::message::ChildEnd;
use crate::journal::table::control::control;
use crate::journal::table::own::own;
use crate::journal::table::{Archive, Hint, Transition, outbox, sweep};

fn finished(head: &Head, then: Then) -> Transition<OwnReply> {
    own(Some(head), &by_owner(write(then)), true, NOW)
}

fn expires(head: &Head) -> Timestamp {
    match head.place {
        Place::Done { expires_at, .. } => expires_at,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn success_and_failure_are_kept_each_as_long_as_asked() {
    let complete = finished(&held(), finish()).head.expect("changed");
    assert_eq!(expires(&complete), later(60_000));
    let errored = finished(&held(), Then::Finish(Ending { result: Err(failure()) })).head.expect("changed");
    assert_eq!(expires(&errored), later(120_000));
    let terminated = control(Some(&held()), &order(terminate()), NOW).head.expect("changed");
    assert_eq!(expires(&terminated), later(120_000));
}

#[test]
fn a_child_is_kept_long_enough_for_a_late_duplicate_of_its_creation_to_find_it() {
    let child = InstanceSpec { parent: Some(parent(3)), keep_complete: Duration::ZERO, ..spec() };
    let head = finished(&Head { spec: Arc::new(child), ..held() }, finish()).head.expect("changed");
    assert_eq!(expires(&head), later(600_000));
    let alone = InstanceSpec { keep_complete: Duration::ZERO, ..spec() };
    let head = finished(&Head { spec: Arc::new(alone), ..held() }, finish()).head.expect("changed");
    assert_eq!(expires(&head), NOW);
}

#[test]
fn the_parents_run_is_told_whoever_ends_the_child() {
    let child = Arc::new(InstanceSpec { parent: Some(parent(3)), ..spec() });
    let head = Head { spec: child, run: 2, ..held() };
    let mut by_itself = by_owner(write(finish()));
    by_itself.owner.run = 2;
    let by_itself = own(Some(&head), &by_itself, true, NOW).effects;
    let from_outside = control(Some(&head), &order(terminate()), NOW).effects;
    for (effects, end) in [
        (by_itself, ChildEnd::Complete(payload("1"))),
        (from_outside, ChildEnd::Terminated { reason: "no".to_owned() }),
    ] {
        let (number, outgoing) = &effects.outgoing[0];
        let Outgoing::Deliver { to, run, message } = outgoing else { panic!("{outgoing:?}") };
        assert_eq!((*number, to, *run), (1, &id("parent"), 3));
        assert_eq!((&message.channel, &*message.event_id), (&Channel::child(&id("i")), "i:2"));
        assert_eq!(ChildEnd::decode(&message.payload), Ok(end));
        assert!(effects.hints.contains(&Hint::Outbox));
    }
}

#[test]
fn children_are_closed_unless_abandoned() {
    let request = Write {
        outgoing: vec![child("a", ParentClose::Terminate), child("b", ParentClose::Abandon)],
        ..write(Then::Hold)
    };
    let head = own(Some(&held()), &by_owner(request), true, NOW).head.expect("changed");
    assert_eq!(head.children, [id("a")]);
    let transition = control(Some(&head), &order(terminate()), NOW);
    let closed: Vec<_> = transition.effects.outgoing.iter().map(|(number, outgoing)| (*number, outgoing)).collect();
    let reason = "its parent i closed".to_owned();
    assert_eq!(closed, [(3, &Outgoing::Close { child: id("a"), reason })], "numbered after the creations");
}

#[test]
fn a_child_made_by_the_very_write_that_ends_its_parent_is_closed_too() {
    let request = Write { outgoing: vec![child("a", ParentClose::Terminate)], ..write(finish()) };
    let effects = own(Some(&held()), &by_owner(request), true, NOW).effects;
    let kinds: Vec<_> =
        effects.outgoing.iter().map(|(number, out)| (*number, matches!(out, Outgoing::Close { .. }))).collect();
    assert_eq!(kinds, [(1, false), (2, true)]);
}

#[test]
fn a_restart_keeps_the_old_run_closes_its_children_and_never_goes_back() {
    let head = Head {
        children: vec![id("a")],
        outgoing: 4,
        arrivals: 3,
        unread: 2,
        shift_ms: 9,
        pause: true,
        suspect: Suspect::Yes { crashes: 2 },
        ..held()
    };
    let transition = control(Some(&head), &order(Action::Restart), NOW);
    let next = transition.head.expect("changed");
    assert_eq!((next.run, next.v, next.records, next.journal_bytes), (2, V + 1, 0, 0));
    assert_eq!((next.arrivals, next.unread, next.shift_ms, next.pause, next.begun), (0, 0, 0, false, false));
    assert_eq!((next.suspect, next.started_at, next.created_at), (Suspect::No, NOW, head.created_at));
    assert_eq!(transition.effects.archives, [Archive { run: 1, expires_at: later(120_000) }]);
    assert!(transition.effects.clear_mailbox);
    assert_eq!(transition.effects.lost_by, Some(MINE));
    assert!(matches!(&transition.effects.outgoing[..], [(5, Outgoing::Close { .. })]));
}

#[test]
fn a_restart_of_a_finished_run_keeps_it_as_long_as_it_would_have_been_kept() {
    let old = done(End::Returned(Ending { result: Ok(payload("1")) }));
    let transition = control(Some(&old), &order(Action::Restart), NOW);
    assert_eq!(transition.effects.archives, [Archive { run: 1, expires_at: later(500) }]);
    assert_eq!(transition.effects.lost_by, None);
}

#[test]
fn nothing_is_deleted_before_its_time_or_while_it_has_something_to_send() {
    let old = done(End::Returned(Ending { result: Ok(payload("1")) }));
    assert!(!sweep::expired(&old, 0, later(499)));
    assert!(!sweep::expired(&old, 1, later(500)));
    assert!(sweep::expired(&old, 0, later(500)));
    assert!(!sweep::expired(&asleep(), 0, Timestamp::MAX));
}

#[test]
fn an_outgoing_command_is_the_same_request_whoever_sends_it_and_another_for_another_life_of_its_source() {
    let request = |outgoing: &Outgoing, number| match outbox::command(&id("i"), number, outgoing) {
        Command::Create(create) => create.request,
        Command::Control(control) => control.request,
        other => panic!("{other:?}"),
    };
    let create = child("c", ParentClose::Terminate);
    assert_eq!(request(&create, 1), request(&create, 1));
    assert_ne!(request(&create, 1), request(&create, 2));
    let Outgoing::CreateChild { id: of, spec } = &create else { panic!("a creation") };
    let reborn = Outgoing::CreateChild { id: of.clone(), spec: Arc::new(InstanceSpec { seed: 8, ..(**spec).clone() }) };
    assert_ne!(request(&create, 1), request(&reborn, 1));
}
