//! The batcher: nothing is lost, nothing is done twice, nobody fails for a neighbour.

use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;

use super::stage::{Engine, LONG_LEASE, Stage, create, eventually, id, soon};
use crate::engine::Mode;
use crate::journal::command::{Command, CreateReply, Reply};
use crate::store::StoreError;

#[tokio::test]
async fn a_caller_that_goes_away_cancels_nothing() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    {
        let mut creating = Box::pin(client.core.create(create("one", "a")));
        let polled = std::future::poll_fn(|cx| Poll::Ready(creating.as_mut().poll(cx).is_pending())).await;
        assert!(polled, "not answered yet");
    }
    eventually("it was created", || stage.head("a").is_some()).await;
}

#[tokio::test]
async fn an_instance_handed_to_a_caller_that_went_away_is_driven() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    {
        let mut creating = Box::pin(engine.core.create(create("one", "a")));
        assert!(std::future::poll_fn(|cx| Poll::Ready(creating.as_mut().poll(cx).is_pending())).await);
    }
    stage.body().await.end(3);
    assert_eq!(stage.output("a").await, 3);
    assert_eq!(engine.journals_read(), 0, "it was handed over, not found later");
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_and_is_the_first_outcome() {
    let stage = Stage::new();
    let engine = stage.worker().await;
    engine.way.lose_replies.store(3, Ordering::SeqCst);
    engine.create("two", "a").await;
    stage.body().await.end(1);
    engine.way.lose_replies.store(2, Ordering::SeqCst);
    stage.body().await.end(2);
    assert_eq!(stage.output("a").await, 3);
    assert_eq!(stage.head("a").expect("kept").records, 2, "each result is recorded once");
    stage.no_body().await;
    let health = engine.core.health().store;
    assert!(health.resends >= 5, "{health:?}");
    assert!(health.last_error.expect("it was noted").contains("the connection was lost"));
}

#[tokio::test]
async fn a_command_survives_a_panic_of_its_sender() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    client.way.panics.store(2, Ordering::SeqCst);
    client.create("one", "a").await;
    let restarts: u64 = client.core.health().loops.iter().map(|looping| looping.restarts).sum();
    assert_eq!(restarts, 2);
    client.way.panics.store(usize::MAX, Ordering::SeqCst);
    let answer = soon(client.core.create(create("one", "b"))).await;
    assert!(matches!(answer, Err(StoreError::Damaged { .. })), "it is given up in the end: {answer:?}");
}

#[tokio::test]
async fn damage_fails_the_command_that_meets_it_and_no_neighbour() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    *client.way.damaged.lock().expect("not poisoned") = Some(id("bad"));
    // Held back so that they gather in few batches.
    client.way.cut.send_replace(true);
    let core = &client.core;
    let (one, bad, two) = tokio::join!(core.create(create("one", "a")), core.create(create("one", "bad")), async {
        let creating = core.create(create("one", "b"));
        client.way.cut.send_replace(false);
        creating.await
    });
    assert_eq!(one.expect("created"), CreateReply::Created { claimed: None });
    assert!(matches!(bad, Err(StoreError::Damaged { .. })), "{bad:?}");
    assert_eq!(two.expect("created"), CreateReply::Created { claimed: None });
}

type Answer = oneshot::Receiver<Result<Reply, StoreError>>;

/// Asks for instances of these ids while nothing reaches the store. The first is on its way meanwhile, so the others are
/// gathered.
async fn create_while_cut(client: &Engine, ids: impl IntoIterator<Item = String>) -> Vec<Answer> {
    client.way.cut.send_replace(true);
    let mut answers = Vec::new();
    for (number, id) in ids.into_iter().enumerate() {
        answers.push(client.core.commands().begin(Command::Create(create("one", &id))).await);
        if number == 0 {
            eventually("it is sent", || client.way.batches.load(Ordering::SeqCst) == 1).await;
        }
    }
    answers
}

#[tokio::test]
async fn a_neighbour_of_damage_that_is_not_answered_is_sent_again() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    *client.way.damaged.lock().expect("not poisoned") = Some(id("bad"));
    let answers = create_while_cut(&client, ["x", "y", "z", "bad", "good"].map(str::to_owned)).await;
    // Each that is carried out is not answered at first.
    client.way.lose_replies.store(4, Ordering::SeqCst);
    client.way.cut.send_replace(false);
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = soon(answer).await.expect("answered");
        if number == 3 {
            assert!(matches!(answer, Err(StoreError::Damaged { .. })), "{answer:?}");
        } else {
            assert_eq!(answer.expect("created"), Reply::Create(CreateReply::Created { claimed: None }));
        }
    }
}

#[tokio::test]
async fn what_is_queued_meanwhile_goes_in_one_batch() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    let answers = create_while_cut(&client, (0..203).map(|number| format!("i{number}"))).await;
    client.way.cut.send_replace(false);
    for answer in answers {
        let reply = soon(answer).await.expect("answered").expect("created");
        assert_eq!(reply, Reply::Create(CreateReply::Created { claimed: None }));
    }
    assert_eq!(client.way.batches.load(Ordering::SeqCst), 2, "the first alone, and one of all the others");
}

#[tokio::test]
async fn a_caller_with_a_limit_gets_an_error_in_time() {
    let stage = Stage::new();
    let client = stage.engine(Mode::Client, LONG_LEASE).await;
    client.way.cut.send_replace(true);
    let command = Command::Create(create("one", "a"));
    let answer = soon(client.core.commands().send_within(command, Duration::from_millis(20))).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
}
