//! What can be looked at: lists page by page, and how much there is of what.

use workflow::journal::command::{Action, Command, Ending, Then};
use workflow::journal::head::State;
use workflow::store::{ListQuery, Overview, Page, Shelf};
use workflow::words::failure::{FailureData, FailureKind};

use crate::world::{World, finish, id, suspend, wait_for, workflow_name, write};

on_every_store!(
    a_list_is_newest_first_and_complete_page_by_page,
    a_list_can_be_of_one_workflow_one_state_and_a_span_of_time,
    a_list_by_id_has_what_begins_alike_in_the_order_of_ids,
    a_list_by_id_can_be_of_one_workflow_one_state_and_a_span_of_time,
    every_state_is_listed_and_counted_alike,
    what_exists_throughout_is_on_exactly_one_page,
    a_row_says_what_it_is,
    a_row_on_a_shelf_says_so,
    the_overview_counts_every_place_and_names_the_shelves,
);

fn everything(limit: usize) -> ListQuery {
    ListQuery::newest(limit)
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

fn by_id(prefix: &str, limit: usize) -> ListQuery {
    ListQuery { id_prefix: Some(id(prefix)), ..everything(limit) }
}

/// The ids of all pages, and how many pages there were.
fn all_pages(w: &World, mut query: ListQuery) -> (Vec<String>, usize) {
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = list(w, query.clone());
        assert!(page.rows.len() <= query.limit);
        seen.extend(page.rows.iter().map(|row| row.id.as_str().to_owned()));
        pages += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return (seen, pages),
        }
    }
}

fn a_list_by_id_has_what_begins_alike_in_the_order_of_ids(w: &mut World) {
    assert_eq!(list(w, by_id("o", 3)), Page::default());
    for name in ["o-2", "o-10", "p", "o", "o-1", "n~", "o~", "O-1"] {
        w.make(name);
        w.advance(1);
    }
    assert_eq!(all_pages(w, by_id("o", 2)), (["o", "o-1", "o-10", "o-2", "o~"].map(str::to_owned).to_vec(), 3));
    assert_eq!(all_pages(w, by_id("o-", 3)), (["o-1", "o-10", "o-2"].map(str::to_owned).to_vec(), 1));
    assert_eq!(found(w, by_id("o-10", 3)), ["o-10"]);
    assert_eq!(found(w, by_id("o-100", 3)), Vec::<String>::new());
    w.terminate("o-1");
    w.advance(120_000);
    assert_eq!(w.count(Command::Expire { limit: 10 }), 1);
    assert_eq!(found(w, by_id("o-", 3)), ["o-10", "o-2"]);
}

fn a_list_by_id_can_be_of_one_workflow_one_state_and_a_span_of_time(w: &mut World) {
    for n in 0..6 {
        w.make_with(&format!("i{n}"), |spec| {
            spec.workflow = workflow_name(if n % 2 == 0 { "order" } else { "refund" })
        });
        w.advance(10);
    }
    w.control("i2", Action::Pause);
    w.control("i3", Action::Pause);
    let of_orders = ListQuery { workflow: Some(workflow_name("order")), ..by_id("i", 10) };
    assert_eq!(found(w, of_orders.clone()), ["i0", "i2", "i4"]);
    assert_eq!(found(w, ListQuery { state: Some(State::Paused), ..of_orders }), ["i2"]);
    assert_eq!(all_pages(w, ListQuery { state: Some(State::Queued), ..by_id("i", 1) }).0, ["i0", "i1", "i4", "i5"]);
    let to = w.now();
    let from = to.shifted(-40);
    let span = ListQuery { created_from: Some(from), created_to: Some(to.shifted(-10)), ..by_id("i", 10) };
    assert_eq!(found(w, span), ["i2", "i3", "i4"]);
}

/// One of each state at least, and in each way there is.
fn one_of_each(w: &mut World) -> [(State, &'static [&'static str]); 7] {
    let session = w.open(1);
    w.make_with("shelved", |spec| spec.version = 2);
    assert!(w.claim(session).is_empty());
    for name in ["waiting", "inbox"] {
        let mut held = w.hold(name, session);
        w.done(&mut held, suspend(vec![wait_for("paid")]));
    }
    w.send("inbox", "paid", "e");
    let _held = w.hold("held", session);
    for name in ["complete", "again"] {
        let mut held = w.hold(name, session);
        w.done(&mut held, finish("1"));
    }
    let mut held = w.hold("errored", session);
    let failure = FailureData::new(FailureKind::Failed, "no", "no");
    w.done(&mut held, write(Then::Finish(Ending { result: Err(failure) })));
    w.make("terminated");
    w.terminate("terminated");
    let start = w.now().shifted(5_000);
    for name in ["delayed", "resumed", "not-delayed"] {
        w.make_with(name, |spec| spec.start_at = Some(start));
    }
    w.control("resumed", Action::Pause);
    w.control("resumed", Action::Resume);
    w.control("not-delayed", Action::Pause);
    w.make("ready");
    // What has ended is in another state when it begins anew.
    w.control("again", Action::Restart);
    [
        (State::Queued, &["again", "delayed", "ready", "resumed", "shelved"]),
        (State::Running, &["held", "inbox"]),
        (State::Waiting, &["waiting"]),
        (State::Paused, &["not-delayed"]),
        (State::Complete, &["complete"]),
        (State::Errored, &["errored"]),
        (State::Terminated, &["terminated"]),
    ]
}

fn every_state_is_listed_and_counted_alike(w: &mut World) {
    let all = one_of_each(w);
    let overview = w.wait(w.store().overview()).expect("the store works");
    for (state, expected) in all {
        let mut ids = all_pages(w, ListQuery { state: Some(state), ..everything(2) }).0;
        ids.sort();
        assert_eq!(ids, expected, "{state}");
        assert_eq!(overview.of_state(state), expected.len() as u64, "{state}");
    }
    assert_eq!((overview.delayed, overview.ready, overview.shelved(), overview.done()), (2, 2, 1, 3));
    assert_eq!(overview.workflows, [(workflow_name("order"), 12)]);
    assert_eq!(overview.total(), 12);
}

/// Between two pages others are made, end, expire, and change their state.
fn what_exists_throughout_is_on_exactly_one_page(w: &mut World) {
    let stays: Vec<String> = (0..12).map(|n| format!("stays-{n:02}")).collect();
    for (n, name) in stays.iter().enumerate() {
        w.make(name);
        w.make(&format!("stays-{n:02}-not"));
        w.advance(n as u64 % 2);
    }
    let mut made = 0;
    for base in [everything(3), by_id("stays", 3), ListQuery { state: Some(State::Queued), ..everything(3) }] {
        let (mut seen, mut query) = (Vec::new(), base);
        for round in 0.. {
            let page = list(w, query.clone());
            seen.extend(page.rows.into_iter().map(|row| row.id.as_str().to_owned()));
            let Some(next) = page.next else { break };
            query.after = Some(next);
            let gone = format!("stays-{:02}-not", (7 * round) % 12);
            if w.inspect(&gone).is_some() {
                w.terminate(&gone);
                w.advance(120_000);
                w.count(Command::Expire { limit: 10 });
            }
            made += 1;
            w.make(&format!("stays-{made:02}-new"));
        }
        for name in &stays {
            assert_eq!(seen.iter().filter(|one| *one == name).count(), 1, "{name} in {query:?}");
        }
    }
}

fn a_row_on_a_shelf_says_so(w: &mut World) {
    let session = w.open(1);
    w.make_with("x", |spec| spec.version = 2);
    assert!(w.claim(session).is_empty());
    w.make("y");
    let shelved = |w: &World| -> Vec<bool> { list(w, everything(10)).rows.iter().map(|row| row.shelved).collect() };
    assert_eq!(shelved(w), [false, true]);
    w.control("x", Action::Pause);
    w.control("x", Action::Resume);
    assert_eq!(shelved(w), [false, false], "some worker may have come");
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
    let shelves = [(2, 2), (3, 1)]
        .map(|(version, instances)| Shelf { workflow: workflow_name("order"), version, instances })
        .to_vec();
    let expected = Overview {
        ready: 1,
        asleep: 1,
        held: 2,
        paused: 1,
        terminated: 1,
        shelves: shelves.clone(),
        workflows: vec![(workflow_name("order"), 9)],
        ..Overview::default()
    };
    assert_eq!(w.wait(w.store().shelves()).expect("the store works"), shelves);
    assert_eq!(w.wait(w.store().overview()).expect("the store works"), expected);
}
