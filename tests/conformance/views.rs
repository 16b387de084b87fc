//! What can be looked at: lists page by page, and how much there is of what.

use workflow::journal::command::Action;
use workflow::journal::head::State;
use workflow::store::{ListQuery, Overview, Page};

use crate::world::{World, finish, id, suspend, wait_for, workflow_name};

on_every_store!(
    a_list_is_newest_first_and_complete_page_by_page,
    a_list_can_be_of_one_workflow_one_state_and_a_span_of_time,
    a_row_says_what_it_is,
    the_overview_counts_every_place_and_names_the_shelves,
);

fn everything(limit: usize) -> ListQuery {
    ListQuery { workflow: None, state: None, created_from: None, created_to: None, limit, after: None }
}

fn list(w: &World, query: ListQuery) -> Page {
    w.wait(w.store().list(query)).expect("the store works")
}

fn found(w: &World, query: ListQuery) -> Vec<String> {
    let page = list(w, query);
    assert_eq!(page.next, None);
    page.rows.iter().map(|row| row.id.as_str().to_owned()).collect()
}

fn a_list_is_newest_first_and_complete_page_by_page(w: &mut World) {
    assert_eq!(list(w, everything(10)), Page::default());
    for n in 0..7 {
        w.make(&format!("i{n}"));
        w.advance(n % 2);
    }
    let mut seen = Vec::new();
    let mut query = everything(3);
    loop {
        let page = list(w, query.clone());
        assert!(page.rows.len() <= 3);
        seen.extend(page.rows.iter().map(|row| row.id.as_str().to_owned()));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    // i0 i1 | i2 i3 | i4 i5 | i6 were made in the same milliseconds.
    assert_eq!(seen, ["i6", "i5", "i4", "i3", "i2", "i1", "i0"]);
    assert_eq!(list(w, everything(7)).next, None, "the last page says so");
    assert!(list(w, everything(6)).next.is_some());
}

fn a_list_can_be_of_one_workflow_one_state_and_a_span_of_time(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("complete", session);
    w.done(&mut held, finish("1"));
    w.advance(10);
    let from = w.now();
    w.make_with("other", |spec| spec.workflow = workflow_name("refund"));
    w.advance(10);
    let to = w.now();
    w.make("queued");
    w.make("terminated");
    w.terminate("terminated");
    let orders = ListQuery { workflow: Some(workflow_name("order")), ..everything(10) };
    assert_eq!(found(w, orders.clone()), ["terminated", "queued", "complete"]);
    assert_eq!(found(w, ListQuery { state: Some(State::Queued), ..everything(10) }), ["queued", "other"]);
    assert_eq!(found(w, ListQuery { state: Some(State::Complete), ..orders.clone() }), ["complete"]);
    assert_eq!(found(w, ListQuery { state: Some(State::Errored), ..orders }), Vec::<String>::new());
    assert_eq!(found(w, ListQuery { created_from: Some(from), created_to: Some(to), ..everything(10) }), ["other"]);
}

fn a_row_says_what_it_is(w: &mut World) {
    w.make_with("i", |spec| spec.version = 3);
    let made = w.now();
    w.advance(5);
    w.control("i", Action::Pause);
    let page = list(w, everything(1));
    let row = &page.rows[0];
    assert_eq!((&row.id, &row.workflow, row.version), (&id("i"), &workflow_name("order"), 3));
    assert_eq!((row.state, row.created_at, row.updated_at), (State::Paused, made, w.now()));
}

fn the_overview_counts_every_place_and_names_the_shelves(w: &mut World) {
    let session = w.open(1);
    for (name, version) in [("x", 2), ("y", 2), ("z", 3)] {
        w.make_with(name, |spec| spec.version = version);
    }
    assert!(w.claim(session).is_empty());
    for name in ["asleep", "inbox"] {
        let mut held = w.hold(name, session);
        w.done(&mut held, suspend(vec![wait_for("paid")]));
    }
    let _held = w.hold("held", session);
    w.send("inbox", "paid", "e");
    w.make("paused");
    w.control("paused", Action::Pause);
    w.make("done");
    w.terminate("done");
    w.make("ready");
    let shelves = vec![(workflow_name("order"), 2, 2), (workflow_name("order"), 3, 1)];
    let expected = Overview { ready: 1, asleep: 1, held: 2, paused: 1, done: 1, shelves };
    assert_eq!(w.wait(w.store().overview()).expect("the store works"), expected);
}
