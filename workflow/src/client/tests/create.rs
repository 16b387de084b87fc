//! Creating instances, one by one and in batches.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Bench, Order, Refund, START, inputs, item};
use crate::client::batch::create_batch;
use crate::client::create::{create, new_instance};
use crate::client::error::EngineError;
use crate::client::handle::Handle;
use crate::definition::{EncodedInputs, input};
use crate::journal::head::State;
use crate::words::limits::{BATCH_MAX, PAYLOAD_BYTES_MAX};

#[tokio::test]
async fn an_instance_is_created_once_and_found_again() {
    let bench = Bench::new().await;
    let made = bench.order(1).id("o-1").await.expect("new");
    assert_eq!(made.id(), "o-1");
    let again = bench.order(2).id("o-1").await.expect_err("taken");
    assert!(
        matches!(&again, EngineError::AlreadyExists { id, workflow, state: State::Queued } if id == "o-1" && workflow == "order"),
        "{again:?}"
    );
    let attached = bench.order(2).id("o-1").attach().await.expect("attaches");
    assert_eq!(attached.status().await.expect("exists").created_at, START.to_system_time());
}

#[tokio::test]
async fn attaching_to_another_workflows_instance_is_refused() {
    let bench = Bench::new().await;
    bench.order(1).id("o-1").await.expect("new");
    let error = create::<Refund>(&bench.engine, inputs(1)).id("o-1").attach().await.expect_err("another's");
    assert!(
        matches!(&error, EngineError::WrongWorkflow { wanted, found, .. } if wanted == "refund" && found == "order"),
        "{error:?}"
    );
}

#[tokio::test]
async fn ids_that_are_not_given_are_made_and_sort_by_time() {
    let bench = Bench::new().await;
    let first = bench.order(1).await.expect("new");
    let second = bench.order(1).await.expect("new");
    assert_ne!(first.id(), second.id());
    // Two ids of one millisecond may be in any order; their times may not.
    assert!(first.id()[..9] <= second.id()[..9], "{first:?} {second:?}");
}

#[tokio::test]
async fn how_long_it_is_kept_says_the_create_else_the_workflow_else_the_engine() {
    let bench = Bench::new().await;
    let day = Duration::from_secs(24 * 60 * 60);
    let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
    create::<Refund>(&bench.engine, inputs(1)).id("of-create").retention(one, two).await.expect("new");
    create::<Refund>(&bench.engine, inputs(1)).id("of-workflow").await.expect("new");
    bench.order(1).id("of-engine").await.expect("new");
    for (id, complete, failed) in
        [("of-create", one, two), ("of-workflow", 7 * day, Duration::from_secs(60)), ("of-engine", 7 * day, 30 * day)]
    {
        let data = bench.store.dump();
        let spec = &data.instances.iter().find(|(known, _)| known.as_str() == id).expect("it is there").1.head.spec;
        assert_eq!((spec.keep_complete, spec.keep_failed), (complete, failed), "{id}");
    }
}

#[tokio::test]
async fn every_option_reaches_the_store() {
    let bench = Bench::new().await;
    let start = START.after(Duration::from_secs(60)).to_system_time();
    let handle = create::<Refund>(&bench.engine, inputs(7))
        .id("r-1")
        .priority(9)
        .queue("fast")
        .retention(Duration::from_secs(1), Duration::from_secs(2))
        .start_at(start)
        .await
        .expect("new");
    let status = handle.status().await.expect("exists");
    assert_eq!((status.workflow.as_str(), status.version), ("refund", 1));
    assert_eq!((status.priority, status.queue.as_str()), (9, "fast"));
    assert_eq!((status.state, status.start_at), (State::Queued, Some(start)));
    let spec = bench.store.dump().instances.into_values().next().expect("one").head.spec;
    assert_eq!((spec.keep_complete, spec.keep_failed), (Duration::from_secs(1), Duration::from_secs(2)));
    assert_eq!(spec.input.as_bytes(), br#"{"amount":7}"#);
}

#[tokio::test]
async fn the_workflows_queue_is_the_default() {
    let bench = Bench::new().await;
    create::<Refund>(&bench.engine, inputs(7)).await.expect("new");
    let spec = bench.store.dump().instances.into_values().next().expect("one").head.spec;
    assert_eq!(spec.queue.as_str(), "slow");
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_written() {
    let bench = Bench::new().await;
    let decades = Duration::from_secs(11 * 365 * 24 * 60 * 60);
    let far = START.to_system_time() + 20 * decades;
    let refused = [
        (bench.order(1).id("a b").await, "invalid_id"),
        (bench.order(1).id("").await, "invalid_id"),
        (bench.order(1).id("x".repeat(201)).await, "invalid_id"),
        (bench.order(1).queue("a/b").await, "invalid_id"),
        (bench.order(1).retention(decades, Duration::ZERO).await, "option"),
        (bench.order(1).start_at(far).await, "option"),
        (create::<Order>(&bench.engine, text(PAYLOAD_BYTES_MAX)).await, "input"),
    ];
    for (outcome, code) in refused {
        assert_eq!(outcome.expect_err(code).code(), code);
    }
    assert!(bench.store.dump().instances.is_empty());
}

#[tokio::test]
async fn inputs_up_to_the_limit_and_those_that_look_like_nothing_are_kept() {
    let bench = Bench::new().await;
    let around = text(0).into_payload().expect("small").as_bytes().len();
    create::<Order>(&bench.engine, text(PAYLOAD_BYTES_MAX - around)).id("full").await.expect("just fits");
    let over = create::<Order>(&bench.engine, text(PAYLOAD_BYTES_MAX - around + 1)).await.expect_err("one too many");
    assert_eq!(over.code(), "input");

    for (id, value) in [("zero", json!(0)), ("no", json!(false)), ("empty", json!("")), ("none", json!(null))] {
        let mut inputs = EncodedInputs::new();
        input::<Value>("v").encode(&value, &mut inputs);
        create::<Order>(&bench.engine, inputs).id(id).await.expect("new");
        let instances = bench.store.dump().instances;
        let (_, instance) = instances.into_iter().find(|(found, _)| found.as_str() == id).expect("created");
        assert_eq!(instance.head.spec.input.as_bytes(), json!({ "v": value }).to_string().as_bytes());
    }
}

fn text(bytes: usize) -> EncodedInputs {
    let mut inputs = EncodedInputs::new();
    input::<String>("t").encode(&"x".repeat(bytes), &mut inputs);
    inputs
}

/// The id of each instance that was created, and the code of each error.
fn told(outcomes: &[Result<Handle<Order>, EngineError>]) -> Vec<&str> {
    let mut told = Vec::new();
    for outcome in outcomes {
        told.push(match outcome {
            Ok(handle) => handle.id(),
            Err(error) => error.code(),
        });
    }
    told
}

#[tokio::test]
async fn a_batch_gives_an_outcome_for_each_item_in_order() {
    let bench = Bench::new().await;
    bench.order(1).id("b").await.expect("new");
    let items = ["a", "b", "a b", "c", "a"].map(item);
    let outcomes = create_batch(&bench.engine, items).await.expect("not too large");
    assert_eq!(told(&outcomes), ["a", "already_exists", "invalid_id", "c", "already_exists"]);
}

#[tokio::test]
async fn a_batch_attaches_to_what_exists_also_inside_itself() {
    let bench = Bench::new().await;
    create::<Refund>(&bench.engine, inputs(1)).id("r").await.expect("new");
    let outcomes = create_batch(&bench.engine, ["a", "r", "a"].map(item)).attach().await.expect("not too large");
    assert_eq!(told(&outcomes), ["a", "wrong_workflow", "a"]);
}

#[tokio::test]
async fn a_refused_item_does_not_stand_in_the_way_of_its_duplicate() {
    let bench = Bench::new().await;
    let items = [item("a").queue("no queue"), item("a")];
    let outcomes = create_batch(&bench.engine, items).await.expect("not too large");
    assert_eq!(outcomes[0].as_ref().expect_err("its queue is none").code(), "invalid_id");
    assert_eq!(outcomes[1].as_ref().expect("the first that is valid").id(), "a");
}

#[tokio::test]
async fn a_batch_has_a_limit_and_may_be_empty() {
    let bench = Bench::new().await;
    let items = |count: usize| (0..count).map(|_| new_instance::<Order>(inputs(1)));
    assert_eq!(create_batch(&bench.engine, items(0)).await.expect("empty").len(), 0);
    let error = create_batch(&bench.engine, items(BATCH_MAX + 1)).await.expect_err("too large");
    assert!(matches!(error, EngineError::BatchTooLarge { .. }), "{error:?}");
    assert!(bench.store.dump().instances.is_empty());
    let outcomes = create_batch(&bench.engine, items(BATCH_MAX)).await.expect("just fits");
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(bench.store.dump().instances.len(), BATCH_MAX);
}

#[tokio::test]
async fn nothing_that_was_given_is_shown_by_a_create() {
    let bench = Bench::new().await;
    let mut inputs = EncodedInputs::new();
    input::<String>("card").encode(&"s3cret".to_owned(), &mut inputs);
    let create = create::<Order>(&bench.engine, inputs).start_at(SystemTime::UNIX_EPOCH);
    assert!(!format!("{create:?}").contains("s3cret"));
}
