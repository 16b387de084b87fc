//! Looking: handles, status, results, changes, lists.

use std::time::Duration;

use super::{Bench, Order, OrderError, Refund, START, inputs};
use crate::client::create::create;
use crate::client::error::EngineError;
use crate::client::handle::get;
use crate::client::list::PageToken;
use crate::client::result::ResultError;
use crate::client::status::WaitTarget;
use crate::journal::command::{Ending, PauseReason, Then, Wait};
use crate::journal::divergence::{Divergence, Traces};
use crate::journal::head::State;
use crate::journal::message::Channel;
use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::payload::Payload;

fn complete(output: &'static [u8]) -> Ending {
    Ending { result: Ok(Payload::from_bytes(output)) }
}

fn errored(data: Option<Payload>) -> Ending {
    let failure = FailureData { data, ..FailureData::new(FailureKind::Failed, "OrderError", "no stock") };
    Ending { result: Err(failure) }
}

#[tokio::test]
async fn a_handle_is_given_for_the_right_workflow_only() {
    let bench = Bench::new().await;
    bench.order(1).id("o").await.expect("new");
    assert_eq!(get::<Order>(&bench.engine, "o").await.expect("its own").id(), "o");
    let error = get::<Refund>(&bench.engine, "o").await.expect_err("another's");
    assert!(matches!(&error, EngineError::WrongWorkflow { found, .. } if found == "order"), "{error:?}");
    assert_eq!(bench.engine.instance("o").await.expect("any").id(), "o");
    assert_eq!(bench.engine.instance("x").await.expect_err("none").code(), "not_found");
    assert_eq!(bench.engine.instance("a b").await.expect_err("no id").code(), "invalid_id");
}

#[tokio::test]
async fn an_output_is_read_as_its_type_and_as_json() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    bench.finish(complete(b"42"));
    let status = order.status().await.expect("kept");
    assert_eq!((status.state, status.output), (State::Complete, Some(42)));
    assert_eq!(order.untyped().result().await.expect("complete"), 42);
    let shown = serde_json::to_value(order.status().await.expect("kept")).expect("serialises");
    assert_eq!((&shown["state"], &shown["output"]), (&"complete".into(), &42.into()));
}

#[tokio::test]
async fn an_output_of_another_type_is_told_and_does_not_hide_the_status() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    bench.finish(complete(b"\"text\""));
    let status = order.status().await.expect("kept");
    assert_eq!((status.state, status.output), (State::Complete, None));
    assert!(status.unreadable.expect("said why").contains("u64"));
    assert!(matches!(order.result().await, Err(ResultError::Unreadable { .. })));
}

#[tokio::test]
async fn an_error_names_its_class_message_and_step() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let (session, claimed) = bench.claim();
    let path = Path::root().join(Kind::Step, "reserve", Some("sku-1"), 0);
    let failure = FailureData::new(FailureKind::Failed, "shop::Error", "no stock");
    let record = Record { time: START, path, entry: Entry::Done(Outcome::Failed(failure)) };
    let ending = errored(Some(Payload::encode(&OrderError::NoStock).expect("encodes")));
    bench.write(session, &claimed[0], vec![record.encode()], Then::Finish(ending));

    let error = order.status().await.expect("kept").error.expect("errored");
    assert_eq!((error.class.as_str(), error.message.as_str()), ("OrderError", "no stock"));
    assert_eq!(error.step.as_deref(), Some("step \"reserve\" [sku-1]"));
    assert_eq!(order.result().await.expect_err("errored").failed(), Some(OrderError::NoStock));
    assert_eq!(order.history().await.expect("kept").operations.len(), 1);
}

#[tokio::test]
async fn open_waits_have_their_deadlines_and_unreadable_events_are_shown() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    order.send_type("paid", "not a payment").await.expect("accepted");
    let (session, claimed) = bench.claim();
    let path = Path::root().join(Kind::Wait, "payment", None, 0);
    let aside = Entry::SetAside { message: 1, reason: "no amount".to_owned() };
    let record = Record { time: START, path: path.clone(), entry: aside };
    let due = START.after(Duration::from_secs(600));
    let wait = Wait { path, channel: Some(Channel::event("paid", "k")), due: Some(due), shifts: true };
    bench.write(session, &claimed[0], vec![record.encode()], Then::Suspend { waits: vec![wait], paused: false });

    let status = order.status().await.expect("exists");
    assert_eq!((status.state, status.unread_events), (State::Waiting, 0));
    assert_eq!(status.waits[0].operation, "wait \"payment\"");
    assert_eq!(status.waits[0].due, Some(due.to_system_time()));
    assert_eq!(status.waits[0].target, WaitTarget::Event { event_type: "paid".to_owned(), key: "k".to_owned() });
    assert_eq!((status.set_aside[0].message, status.set_aside[0].reason.as_str()), (1, "no amount"));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_result_has_a_limit_that_changes_nothing() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let limit = Duration::from_secs(3);
    let error = order.result_within(limit).await.expect_err("nobody runs it");
    assert!(matches!(error, ResultError::TimedOut { after } if after == limit), "{error:?}");
    assert!(!error.is_final());
    bench.finish(complete(b"1"));
    assert_eq!(order.result_within(limit).await.expect("complete"), 1);
}

#[tokio::test]
async fn a_run_that_its_replay_contradicts_is_told_to_who_waits_and_another_divergence_is_waited_out() {
    let divergence = |traces| {
        let message = "it differs".to_owned();
        Then::Park(PauseReason::Divergence(Box::new(Divergence {
            position: 0,
            recorded: None,
            asked: Vec::new(),
            message,
            traces,
        })))
    };
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let (session, claimed) = bench.claim();
    let traces = Traces { run: vec!["> 1. step \"a\"".to_owned()], replay: vec!["> 1. step \"b\"".to_owned()] };
    bench.write(session, &claimed[0], Vec::new(), divergence(Some(traces)));
    let error = order.result().await.expect_err("there is no result");
    assert!(matches!(error, ResultError::Differs(_)) && !error.is_final(), "{error:?}");
    let said = "the instance is parked: it differs\nthe run:\n> 1. step \"a\"\nits replay:\n> 1. step \"b\"";
    assert_eq!(error.to_string(), said);

    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let (session, claimed) = bench.claim();
    bench.write(session, &claimed[0], Vec::new(), divergence(None));
    let error = order.result_within(Duration::from_millis(50)).await.expect_err("it may yet go on");
    assert!(matches!(error, ResultError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_result_is_pushed_and_follows_a_restart() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let waiting = order.clone();
    let (result, ()) = tokio::join!(waiting.result(), async {
        order.restart().await.expect("any state");
        bench.finish(complete(b"2"));
    });
    assert_eq!(result.expect("complete"), 2);
}

#[tokio::test]
async fn changes_are_given_one_after_another_up_to_the_end() {
    let bench = Bench::new().await;
    let order = bench.order(1).await.expect("new");
    let mut changes = order.on_change();
    let mut states = Vec::new();
    for act in [None, Some(true), Some(false)] {
        match act {
            None => {}
            Some(true) => drop(order.pause().await.expect("queued")),
            Some(false) => drop(order.terminate("enough").await.expect("paused")),
        }
        states.push(changes.next().await.expect("a change").state);
    }
    assert_eq!(states, [State::Queued, State::Paused, State::Terminated]);
    assert!(changes.next().await.is_none());
    assert!(changes.error().is_none());
}

#[tokio::test]
async fn instances_are_listed_page_by_page_newest_first() {
    let bench = Bench::new().await;
    for id in ["a", "b", "c", "d", "e"] {
        bench.order(1).id(id).await.expect("new");
        bench.clock.advance(Duration::from_millis(10));
    }
    create::<Refund>(&bench.engine, inputs(1)).id("r").await.expect("new");
    bench.engine.instance("d").await.expect("exists").terminate("").await.expect("queued");

    let mut seen = Vec::new();
    let mut after: Option<PageToken> = None;
    loop {
        let list = bench.engine.list().of::<Order>().limit(2);
        let list = match after.take() {
            Some(page) => list.after(page.to_string().parse().expect("reads back")),
            None => list,
        };
        let page = list.await.expect("lists");
        assert!(page.instances.len() <= 2);
        seen.extend(page.instances.into_iter().map(|listed| listed.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"]);

    let ids = |listing: crate::client::Listing| -> Vec<String> {
        listing.instances.into_iter().map(|listed| listed.id).collect()
    };
    let from = START.after(Duration::from_millis(10)).to_system_time();
    let to = START.after(Duration::from_millis(30)).to_system_time();
    let between = bench.engine.list().created_from(from).created_to(to).await.expect("lists");
    assert_eq!(ids(between), ["c", "b"]);
    assert_eq!(ids(bench.engine.list().state(State::Terminated).await.expect("lists")), ["d"]);
    assert_eq!(ids(bench.engine.list().workflow("refund").await.expect("lists")), ["r"]);
    for limit in [0, 1_001] {
        assert_eq!(bench.engine.list().limit(limit).await.expect_err("out of bounds").code(), "option");
    }
}

#[tokio::test]
async fn the_overview_counts_instances_by_place() {
    let bench = Bench::new().await;
    bench.order(1).await.expect("new");
    bench.order(1).await.expect("new").pause().await.expect("queued");
    bench.order(1).await.expect("new").terminate("").await.expect("queued");
    let overview = bench.engine.overview().await.expect("readable");
    assert_eq!((overview.ready, overview.paused, overview.terminated), (1, 1, 1));
}
