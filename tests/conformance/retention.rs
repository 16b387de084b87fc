//! Retention: what has ended is deleted in time, wholly, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use workflow::journal::command::{
    Action, Command, Control, ControlReply, Ending, InstanceSpec, Outgoing, Parent, ParentClose, SendReply, Then, Write,
};
use workflow::journal::head::{Place, State};
use workflow::store::Overview;
use workflow::words::failure::{FailureData, FailureKind};

use crate::world::{World, finish, id, payload, record, spec, write};

on_every_store!(
    a_finished_instance_is_deleted_when_its_time_has_come,
    a_few_are_deleted_at_a_time_the_oldest_first,
    what_ended_in_different_ways_is_deleted_in_one_order,
    what_is_over_at_one_moment_is_deleted_by_id_however_it_ended,
    an_old_run_is_deleted_before_the_instance,
    an_instance_with_something_to_send_stays,
    a_deleted_id_can_be_used_again_and_nothing_of_the_old_is_left,
    everything_returns_to_nothing,
    what_is_deleted_by_an_operator_goes_with_the_next_sweep,
    a_deleted_child_is_kept_for_late_copies_of_its_creation,
    an_instance_that_is_deleted_with_something_to_send_stays_until_it_is_sent,
);

fn expire(w: &World) -> usize {
    w.count(Command::Expire { limit: 100 })
}

fn a_finished_instance_is_deleted_when_its_time_has_come(w: &mut World) {
    let session = w.open(1);
    let mut complete = w.hold("complete", session);
    w.done(&mut complete, finish("1"));
    w.make("terminated");
    w.terminate("terminated");
    w.make("waiting");
    w.advance(59_999);
    assert_eq!(expire(w), 0);
    w.advance(1);
    assert_eq!(expire(w), 1);
    assert_eq!((w.inspect("complete"), w.journal("complete", 1)), (None, None));
    w.advance(60_000);
    assert_eq!(expire(w), 1);
    assert_eq!(w.inspect("terminated"), None);
    w.advance(10_000_000);
    assert_eq!(expire(w), 0);
    assert!(w.inspect("waiting").is_some());
}

fn a_few_are_deleted_at_a_time_the_oldest_first(w: &mut World) {
    for name in ["c", "a", "b"] {
        w.make(name);
        w.terminate(name);
        w.advance(1);
    }
    w.advance(120_000);
    assert_eq!(w.count(Command::Expire { limit: 2 }), 2);
    assert_eq!((w.inspect("c"), w.inspect("a")), (None, None));
    assert!(w.inspect("b").is_some());
    assert_eq!(w.count(Command::Expire { limit: 2 }), 1);
}

fn what_ended_in_different_ways_is_deleted_in_one_order(w: &mut World) {
    let session = w.open(1);
    let names = ["d", "c", "b", "a"];
    for (seconds, name) in (1..).zip(names) {
        w.make_with(name, |spec| {
            (spec.keep_complete, spec.keep_failed) = (Duration::from_secs(seconds), Duration::from_secs(seconds));
        });
        let mut held = w.claim_one(session);
        let failure = FailureData::new(FailureKind::Failed, "no", "no");
        match seconds % 3 {
            0 => drop(w.terminate(name)),
            1 => drop(w.done(&mut held, finish("1"))),
            _ => drop(w.done(&mut held, write(Then::Finish(Ending { result: Err(failure) })))),
        }
    }
    w.advance(10_000);
    for gone in 1..=names.len() {
        assert_eq!(w.count(Command::Expire { limit: 1 }), 1);
        let left: Vec<_> = names.iter().filter(|name| w.inspect(name).is_some()).collect();
        assert_eq!(left, names[gone..].iter().collect::<Vec<_>>());
    }
}

fn what_is_over_at_one_moment_is_deleted_by_id_however_it_ended(w: &mut World) {
    let session = w.open(1);
    w.make_with("b", |spec| spec.keep_complete = Duration::from_secs(1));
    let mut held = w.claim_one(session);
    for name in ["a", "c"] {
        w.make_with(name, |spec| spec.keep_failed = Duration::from_secs(1));
        w.terminate(name);
    }
    w.done(&mut held, finish("1"));
    w.advance(1_000);
    for gone in ["a", "b", "c"] {
        assert!(w.inspect(gone).is_some());
        assert_eq!(w.count(Command::Expire { limit: 1 }), 1);
        assert!(w.inspect(gone).is_none(), "{gone} comes first");
    }
}

fn an_old_run_is_deleted_before_the_instance(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("one"));
    w.done(&mut held, finish("1"));
    w.control("i", Action::Restart);
    w.advance(60_000);
    assert_eq!(expire(w), 1);
    let found = w.inspect("i").expect("it runs again");
    assert_eq!((found.runs, w.journal("i", 1)), (vec![2], None));
    assert_eq!(w.journal("i", 2), Some(Vec::new()));
    assert_eq!(expire(w), 0);
}

fn an_instance_with_something_to_send_stays(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    let spec = InstanceSpec { parent: Some(Parent { id: id("p"), run: 1, on_close: ParentClose::Abandon }), ..spec() };
    let outgoing = vec![Outgoing::CreateChild { id: id("c"), spec: Arc::new(spec) }];
    w.done(&mut parent, Write { outgoing, ..write(Then::Hold) });
    w.done(&mut parent, finish("1"));
    w.make("other");
    w.terminate("other");
    w.advance(1_000_000);
    assert_eq!(w.count(Command::Expire { limit: 1 }), 1, "it does not stand in the way of others");
    assert!(w.inspect("p").is_some() && w.inspect("other").is_none());
    w.empty_outbox();
    assert_eq!(expire(w), 1);
    assert_eq!(w.inspect("p"), None);
}

fn a_deleted_id_can_be_used_again_and_nothing_of_the_old_is_left(w: &mut World) {
    let session = w.open(1);
    let mut old = w.hold("i", session);
    w.send("i", "paid", "e");
    w.done(&mut old, record("old"));
    w.control("i", Action::Restart);
    w.terminate("i");
    w.advance(1_000_000);
    assert_eq!(expire(w), 1);
    w.make("i");
    let mut held = w.claim_one(session);
    assert_eq!((held.run, held.records, held.messages.len()), (1, 0, 0));
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    assert_eq!(w.done(&mut held, record("new")).messages.len(), 1);
    assert_eq!(w.journal("i", 1), Some(vec!["new".to_owned()]));
    assert_eq!(w.inspect("i").expect("it exists").runs, [1]);
}

fn everything_returns_to_nothing(w: &mut World) {
    let session = w.open(1);
    for n in 0..20 {
        let name = format!("i{n}");
        w.make_with(&name, |spec| spec.keep_complete = Duration::from_secs(n));
        let mut held = w.claim_one(session);
        w.send(&name, "paid", "e");
        w.done(&mut held, Write { records: vec![payload("one"), payload("two")], ..write(Then::Hold) });
        if n % 3 == 0 {
            w.control(&name, Action::Restart);
            held = w.claim_one(session);
        }
        if n % 2 == 0 {
            w.done(&mut held, Write { seen: 1, ..finish("1") });
        } else {
            w.terminate(&name);
        }
    }
    w.count(Command::CloseSession { session });
    w.advance(1_000_000);
    while expire(w) > 0 {}
    assert_eq!(w.wait(w.store().overview()).expect("the store works"), Overview::default());
    assert_eq!(w.wait(w.store().sessions()).expect("the store works"), []);
    assert_eq!(w.outbox(), []);
    for n in 0..20 {
        let name = format!("i{n}");
        assert_eq!((w.inspect(&name), w.journal(&name, 1), w.journal(&name, 2)), (None, None, None));
    }
}

fn what_is_deleted_by_an_operator_goes_with_the_next_sweep(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    assert_eq!(w.control("i", Action::Delete), ControlReply::Refused(State::Running));
    w.make("queued");
    assert_eq!(w.control("queued", Action::Delete), ControlReply::Refused(State::Queued));
    assert_eq!(w.control("none", Action::Delete), ControlReply::Unknown);
    w.done(&mut held, finish("1"));
    let ended = w.now();
    w.advance(10);
    assert_eq!(expire(w), 0);
    let delete = Control { request: w.request(), id: id("i"), run: None, action: Action::Delete };
    assert_eq!(w.control_as(&delete), ControlReply::Done(State::Complete));
    let head = w.head("i");
    assert!(matches!(head.place, Place::Done { at, expires_at, .. } if at == ended && expires_at == w.now()));
    assert_eq!(head.updated_at, ended, "it has not changed");
    w.advance(1);
    assert_eq!(w.control_as(&delete), ControlReply::Done(State::Complete));
    assert_eq!(w.head("i"), head, "a repeat changes nothing");
    assert_eq!(expire(w), 1);
    assert_eq!((w.inspect("i"), w.journal("i", 1)), (None, None));
    assert!(w.inspect("queued").is_some());
}

fn a_deleted_child_is_kept_for_late_copies_of_its_creation(w: &mut World) {
    let parent = Parent { id: id("p"), run: 1, on_close: ParentClose::Abandon };
    w.make_with("c", |spec| spec.parent = Some(parent.clone()));
    w.terminate("c");
    w.empty_outbox();
    w.control("c", Action::Delete);
    w.advance(10 * 60 * 1_000 - 1);
    assert_eq!(expire(w), 0);
    w.advance(1);
    assert_eq!(expire(w), 1);
    // One that would be kept for less is not kept longer.
    w.make("short");
    w.terminate("short");
    let expires = |w: &World| match w.head("short").place {
        Place::Done { expires_at, .. } => expires_at,
        other => panic!("{other:?}"),
    };
    w.advance(120_001);
    let before = expires(w);
    w.control("short", Action::Delete);
    assert_eq!(expires(w), before);
}

fn an_instance_that_is_deleted_with_something_to_send_stays_until_it_is_sent(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    let spec = InstanceSpec { parent: Some(Parent { id: id("p"), run: 1, on_close: ParentClose::Abandon }), ..spec() };
    let outgoing = vec![Outgoing::CreateChild { id: id("c"), spec: Arc::new(spec) }];
    w.done(&mut parent, Write { outgoing, ..finish("1") });
    w.control("p", Action::Delete);
    assert_eq!(expire(w), 0);
    w.empty_outbox();
    assert_eq!(expire(w), 1);
    assert_eq!(w.inspect("p"), None);
    assert!(w.inspect("c").is_some());
}
