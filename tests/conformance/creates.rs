//! Making instances: once by id, one by one in a batch, and handed over at once where nothing waits.

use std::sync::Arc;

use workflow::journal::command::{
    Action, Claimed, Command, Control, Create, CreateReply, InstanceSpec, Reply, SendReply,
};
use workflow::journal::head::State;

use crate::world::{Held, World, event, id, names, payload, queue, record, spec, workflow_name};

on_every_store!(
    an_instance_is_as_it_was_asked_for,
    creating_again_is_created_to_the_same_request_and_exists_to_another,
    a_batch_is_answered_in_order_and_each_item_stands_alone,
    an_instance_with_a_start_time_starts_then_and_not_before,
    an_instance_is_handed_over_in_the_same_write,
    a_local_start_in_a_batch_sees_what_left_the_queue_before_it,
    a_local_start_asked_for_by_a_lost_session_is_ready_for_others,
    a_repeated_local_start_hands_over_again_until_something_was_written,
    a_repeated_local_start_hands_nothing_to_a_session_that_was_lost,
    a_large_input_reads_back,
    a_message_is_there_from_the_beginning_and_only_where_it_was_created,
    an_instance_that_is_handed_over_has_its_message,
    a_message_does_not_wake_what_starts_later,
);

fn local(w: &World, name: &str, session: workflow::words::id::SessionId) -> Create {
    Create { local: Some(session), ..w.new_instance(name) }
}

fn claimed(reply: CreateReply) -> Option<workflow::journal::command::Claimed> {
    match reply {
        CreateReply::Created { claimed } => claimed.map(|claimed| *claimed),
        CreateReply::Exists { .. } => panic!("it exists"),
    }
}

fn an_instance_is_as_it_was_asked_for(w: &mut World) {
    assert_eq!(w.inspect("i"), None);
    let create = w.new_instance("i");
    w.create(&create);
    let found = w.inspect("i").expect("it exists");
    assert_eq!((found.id, found.runs), (id("i"), vec![1]));
    let head = found.head;
    assert_eq!(*head.spec, spec());
    assert_eq!((head.created_at, head.run, head.records, head.state()), (w.now(), 1, 0, State::Queued));
    assert_eq!(w.journal("i", 1), Some(Vec::new()));
    assert_eq!(w.journal("i", 2), None);
    assert_eq!(w.journal("j", 1), None);
}

fn creating_again_is_created_to_the_same_request_and_exists_to_another(w: &mut World) {
    let create = w.new_instance("i");
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    w.advance(5);
    let before = w.head("i");
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    let exists = CreateReply::Exists { workflow: workflow_name("order"), state: State::Queued };
    assert_eq!(w.create(&w.new_instance("i")), exists);
    assert_eq!(w.head("i"), before);
}

fn a_batch_is_answered_in_order_and_each_item_stands_alone(w: &mut World) {
    w.make("b");
    let batch = ["a", "b", "c", "a"].map(|name| Command::Create(w.new_instance(name))).to_vec();
    let created: Vec<bool> =
        w.execute(batch).into_iter().map(|reply| matches!(reply, Reply::Create(CreateReply::Created { .. }))).collect();
    assert_eq!(created, [true, false, true, false]);
    assert_eq!(w.execute(Vec::new()), []);
}

fn an_instance_with_a_start_time_starts_then_and_not_before(w: &mut World) {
    let session = w.open(1);
    let due = w.in_ms(1_000);
    w.make_with("i", |spec| spec.start_at = Some(due));
    assert_eq!(w.state("i"), State::Queued);
    w.advance(999);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 0);
    assert!(w.claim(session).is_empty());
    w.advance(1);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 1);
    assert_eq!(names(&w.claim(session)), ["i"]);
}

fn an_instance_is_handed_over_in_the_same_write(w: &mut World) {
    let session = w.open(1);
    let claimed = claimed(w.create(&local(w, "i", session))).expect("handed over");
    assert_eq!((&claimed.id, claimed.run, claimed.records), (&id("i"), 1, 0));
    assert_eq!((&*claimed.spec, claimed.suspect, claimed.granted.now), (&spec(), false, w.now()));
    assert!(w.claim(session).is_empty(), "it is not to be had twice");
    let mut held = Held::new(claimed, session);
    w.done(&mut held, record("one"));
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
}

fn a_local_start_in_a_batch_sees_what_left_the_queue_before_it(w: &mut World) {
    let session = w.open(1);
    let pause = |name: &str| {
        let request = w.request();
        Command::Control(Control { request, id: id(name), run: None, action: Action::Pause })
    };
    let batch = vec![
        Command::Create(w.new_instance("waits")),
        Command::Create(local(w, "behind", session)),
        pause("waits"),
        pause("behind"),
        Command::Create(local(w, "first", session)),
    ];
    w.execute(batch);
    assert_eq!([w.state("behind"), w.state("first")], [State::Paused, State::Running]);
}

fn a_local_start_asked_for_by_a_lost_session_is_ready_for_others(w: &mut World) {
    let (lost, other) = (w.open(1), w.open(2));
    w.lose(lost);
    assert!(claimed(w.create(&local(w, "i", lost))).is_none());
    assert_eq!(names(&w.claim(other)), ["i"]);
    let never_opened = workflow::words::id::SessionId(77);
    assert!(claimed(w.create(&local(w, "j", never_opened))).is_none());
}

fn a_repeated_local_start_hands_over_again_until_something_was_written(w: &mut World) {
    let session = w.open(1);
    let create = local(w, "i", session);
    let first = claimed(w.create(&create)).expect("handed over");
    w.send("i", "paid", "e");
    let again = claimed(w.create(&create)).expect("handed over again");
    assert_eq!((again.v, again.granted.messages.len()), (first.v, 1));
    let mut held = Held::new(again, session);
    w.done(&mut held, record("one"));
    assert!(claimed(w.create(&create)).is_none());
}

fn a_repeated_local_start_hands_nothing_to_a_session_that_was_lost(w: &mut World) {
    let session = w.open(1);
    let create = local(w, "i", session);
    claimed(w.create(&create)).expect("handed over");
    w.lose(session);
    assert!(claimed(w.create(&create)).is_none());
    w.count(Command::Recover { session, limit: 10 });
    assert_eq!(w.claim_one(w.open(2)).id, id("i"));
}

fn a_large_input_reads_back(w: &mut World) {
    let big = InstanceSpec { input: payload(&"x".repeat(1024 * 1024)), queue: queue("big"), ..spec() };
    let create = Create { spec: Arc::new(big.clone()), ..w.new_instance("i") };
    w.create(&create);
    assert_eq!(*w.head("i").spec, big);
}

fn with_message(w: &World, name: &str, event_id: &str) -> Create {
    Create { message: Some(event(name, "x", event_id).message), ..w.new_instance(name) }
}

fn a_message_is_there_from_the_beginning_and_only_where_it_was_created(w: &mut World) {
    let session = w.open(1);
    let create = with_message(w, "i", "first");
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    assert!(matches!(w.create(&with_message(w, "i", "second")), CreateReply::Exists { .. }));
    // Its id is known as that of any other.
    assert_eq!(w.send("i", "x", "first"), SendReply::Accepted);
    w.send("i", "x", "third");
    let held = w.claim_one(session);
    assert_eq!(held.event_ids(), ["first", "third"]);
    assert_eq!(held.messages[0].at, w.now());
    assert_eq!((w.head("i").arrivals, w.head("i").unread), (2, 2));
}

fn an_instance_that_is_handed_over_has_its_message(w: &mut World) {
    let session = w.open(1);
    let create = Create { local: Some(session), ..with_message(w, "i", "first") };
    let first = claimed(w.create(&create)).expect("handed over");
    assert_eq!(first.arrivals, 1);
    let again = claimed(w.create(&create)).expect("handed over again");
    assert_eq!(first, again);
    let held = Held::new(Claimed { arrivals: 0, ..first }, session);
    assert_eq!(held.event_ids(), ["first"]);
}

fn a_message_does_not_wake_what_starts_later(w: &mut World) {
    let session = w.open(1);
    let later = InstanceSpec { start_at: Some(w.in_ms(100)), ..spec() };
    w.create(&Create { spec: Arc::new(later), ..with_message(w, "i", "first") });
    assert!(w.claim(session).is_empty());
    w.advance(100);
    w.count(Command::WakeDue { limit: 1 });
    assert_eq!(w.claim_one(session).event_ids(), ["first"]);
}
