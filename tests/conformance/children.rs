//! Children: created and ended through the outbox, once, in order, however often it is sent.

use std::sync::Arc;

use workflow::journal::command::{
    Action, Command, CreateReply, InstanceSpec, Outgoing, Parent, ParentClose, Reply, SendReply, Then, Write,
};
use workflow::journal::head::State;
use workflow::journal::message::{Channel, ChildEnd};
use workflow::journal::path::Path;
use workflow::journal::table::outbox::command;
use workflow::store::Pending;
use workflow::store::fsck::Area;
use workflow::words::id::SessionId;
use workflow::words::time::Timestamp;

use crate::world::{Held, World, finish, id, payload, record, spec, suspend, write};

on_every_store!(
    a_child_is_created_and_its_end_wakes_its_parent,
    an_outgoing_command_stays_until_it_is_acknowledged,
    commands_of_one_source_come_in_order_and_can_be_repeated,
    the_outbox_gives_the_oldest_first_and_leaves_the_youngest,
    children_of_a_run_that_ends_are_closed_unless_abandoned,
    a_child_that_has_ended_is_not_closed,
    closing_a_parent_closes_its_childrens_children,
    a_parent_that_ended_refuses_the_end_of_its_child,
);

fn child_of(parent: &str, run: u32, name: &str, on_close: ParentClose) -> Outgoing {
    let parent = Parent { id: id(parent), run, on_close };
    Outgoing::CreateChild { id: id(name), spec: Arc::new(InstanceSpec { parent: Some(parent), ..spec() }) }
}

fn start(w: &World, held: &mut Held, outgoing: Vec<Outgoing>) {
    w.done(held, Write { outgoing, records: vec![payload("started")], ..write(Then::Hold) });
}

fn wait_for_child(w: &World, held: &mut Held, name: &str) {
    let wait = workflow::journal::command::Wait {
        path: Path::root(),
        channel: Some(Channel::child(&id(name))),
        due: None,
        shifts: false,
    };
    w.done(held, suspend(vec![wait]));
}

/// A parent with one child that was created, both held.
fn family(w: &World, session: SessionId) -> (Held, Held) {
    let mut parent = w.hold("p", session);
    start(w, &mut parent, vec![child_of("p", 1, "c", ParentClose::Terminate)]);
    w.empty_outbox();
    let child = w.claim_one(session);
    (parent, child)
}

fn a_child_is_created_and_its_end_wakes_its_parent(w: &mut World) {
    let session = w.open(1);
    let (mut parent, mut child) = family(w, session);
    assert_eq!(w.head("c").spec.parent.as_ref().map(|parent| parent.id.clone()), Some(id("p")));
    wait_for_child(w, &mut parent, "c");
    w.done(&mut child, finish("42"));
    assert_eq!(w.state("p"), State::Waiting);
    w.empty_outbox();
    let parent = w.claim_one(session);
    let end = &parent.messages[0].message;
    assert_eq!((&end.channel, &*end.event_id), (&Channel::child(&id("c")), "c:1"));
    assert_eq!(ChildEnd::decode(&end.payload), Ok(ChildEnd::Complete(payload("42"))));
}

fn an_outgoing_command_stays_until_it_is_acknowledged(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    let outgoing = child_of("p", 1, "c", ParentClose::Terminate);
    start(w, &mut parent, vec![outgoing.clone()]);
    let pending = vec![Pending { source: id("p"), number: 1, outgoing }];
    assert_eq!(w.outbox(), pending);
    assert_eq!(w.outbox(), pending);
    let sent = Command::Sent { source: id("p"), numbers: vec![1, 7] };
    assert_eq!(w.count(sent.clone()), 1);
    assert_eq!(w.count(sent), 0);
    assert_eq!(w.outbox(), []);
    assert_eq!(w.count(Command::Sent { source: id("nobody"), numbers: vec![1] }), 0);
    // Nobody has carried out what was acknowledged: a check says so, and the end of the parent takes the child off its list.
    let found = w.findings();
    assert!(
        matches!(&found[..], [finding] if finding.area == Area::Family && finding.what.contains("child c")),
        "{found:?}"
    );
    w.done(&mut parent, finish("1"));
}

fn commands_of_one_source_come_in_order_and_can_be_repeated(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    start(w, &mut parent, vec![child_of("p", 1, "c", ParentClose::Terminate)]);
    w.done(&mut parent, finish("1"));
    let pending = w.outbox();
    let numbers: Vec<u64> = pending.iter().map(|pending| pending.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(matches!(pending[1].outgoing, Outgoing::Close { .. }));
    for _ in 0..2 {
        for Pending { source, number, outgoing } in &pending {
            let reply = w.apply(command(source, *number, outgoing));
            assert!(!matches!(reply, Reply::Create(CreateReply::Exists { .. })), "the same request");
        }
        assert_eq!(w.state("c"), State::Terminated);
    }
}

fn the_outbox_gives_the_oldest_first_and_leaves_the_youngest(w: &mut World) {
    let session = w.open(1);
    let mut older = w.hold("z", session);
    start(w, &mut older, vec![child_of("z", 1, "z1", ParentClose::Abandon)]);
    w.advance(10);
    let mut younger = w.hold("a", session);
    start(
        w,
        &mut younger,
        vec![child_of("a", 1, "a1", ParentClose::Abandon), child_of("a", 1, "a2", ParentClose::Abandon)],
    );
    let sources = |before: Timestamp, limit| {
        let pending = w.wait(w.store().outbox(before, limit)).expect("the store works");
        pending.into_iter().map(|pending| (pending.source.as_str().to_owned(), pending.number)).collect::<Vec<_>>()
    };
    let entry = |source: &str, number| (source.to_owned(), number);
    assert_eq!(sources(w.now(), 10), [entry("z", 1)], "what is being sent right now is left alone");
    assert_eq!(sources(w.in_ms(1), 10), [entry("z", 1), entry("a", 1), entry("a", 2)]);
    assert_eq!(sources(w.in_ms(1), 2), [entry("z", 1), entry("a", 1)]);
}

fn children_of_a_run_that_ends_are_closed_unless_abandoned(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    let both = [("closed", ParentClose::Terminate), ("abandoned", ParentClose::Abandon)];
    start(w, &mut parent, both.map(|(name, on_close)| child_of("p", 1, name, on_close)).to_vec());
    w.empty_outbox();
    w.terminate("p");
    w.empty_outbox();
    assert_eq!((w.state("closed"), w.state("abandoned")), (State::Terminated, State::Queued));
    assert_eq!(w.outbox(), []);
}

fn a_child_that_has_ended_is_not_closed(w: &mut World) {
    let session = w.open(1);
    let (mut parent, mut child) = family(w, session);
    w.done(&mut child, finish("42"));
    w.empty_outbox();
    assert_eq!(w.head("p").children, []);
    w.done(&mut parent, Write { seen: 1, ..finish("1") });
    assert_eq!(w.outbox(), []);
    assert_eq!(w.state("c"), State::Complete);
}

fn closing_a_parent_closes_its_childrens_children(w: &mut World) {
    let session = w.open(1);
    let (_parent, mut child) = family(w, session);
    start(w, &mut child, vec![child_of("c", 1, "grandchild", ParentClose::Terminate)]);
    w.empty_outbox();
    w.control("p", Action::Restart);
    w.empty_outbox();
    assert_eq!((w.state("c"), w.state("grandchild")), (State::Terminated, State::Terminated));
}

fn a_parent_that_ended_refuses_the_end_of_its_child(w: &mut World) {
    let session = w.open(1);
    let (mut parent, mut child) = family(w, session);
    w.done(&mut child, record("one"));
    w.done(&mut parent, finish("1"));
    w.done(&mut child, finish("42"));
    let end = w.outbox().into_iter().find(|pending| pending.source == id("c")).expect("it tells its parent");
    assert_eq!(w.apply(command(&end.source, end.number, &end.outgoing)), Reply::Send(SendReply::Finished));
    w.empty_outbox();
    assert_eq!(w.outbox(), [], "whatever the answer, it was answered");
}
