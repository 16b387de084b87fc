//! Tokens of limits in the hands of workers: used again, given back, kept in doubt, lost with their session.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::faults::Faulty;
use super::stage::{Engine, LONG_LEASE, SHORT_LEASE, Stage, WORKFLOWS, eventually};
use crate::engine::{LimitHealth, LimitRule, Mode};
use crate::journal::command::Action;
use crate::journal::head::State;
use crate::journal::lease::LimitName;
use crate::words::id::{QueueName, WorkflowName};

/// At most this many instances of `one` at once.
fn at_once(tokens: u32) -> LimitRule {
    LimitRule { name: LimitName::Workflow(WorkflowName::new("one").expect("valid")), tokens, per: None }
}

/// At most this many starts a day.
fn a_day(tokens: u32) -> LimitRule {
    let name = LimitName::Queue(QueueName::new("default").expect("valid"));
    LimitRule { name, tokens, per: Some(Duration::from_secs(24 * 60 * 60)) }
}

async fn limited(stage: &Stage, lease: Duration, rules: &[LimitRule]) -> Engine {
    let engine = stage.engine_with(Mode::All, lease, WORKFLOWS.to_vec(), |config| config.limits = rules.to_vec()).await;
    engine.ready().await;
    engine
}

fn health(engine: &Engine) -> LimitHealth {
    engine.core.health().worker.expect("it executes").limits.remove(0)
}

/// The tokens that sessions have, and those that were spent, as the store counts them.
fn counted(stage: &Stage) -> (u32, u32) {
    let limits = stage.store.dump().limits;
    let limit = limits.values().next().cloned().unwrap_or_default();
    (limit.shares.iter().map(|share| share.tokens).sum(), limit.spent.iter().map(|(_, count)| count).sum())
}

#[tokio::test]
async fn a_token_is_used_again_while_there_is_more_to_do_and_then_given_back() {
    let stage = Stage::new();
    let engine = limited(&stage, LONG_LEASE, &[at_once(2)]).await;
    for name in ["a", "b", "c", "d", "e"] {
        engine.create("one", name).await;
    }
    for _ in 0..5 {
        stage.body().await.end(1);
    }
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(stage.output(name).await, 1);
    }
    assert_eq!(engine.way.most_held.load(Ordering::SeqCst), 2);
    eventually("all tokens are back", || counted(&stage) == (0, 0)).await;
    assert_eq!((health(&engine).tokens, health(&engine).in_use), (0, 0));
}

#[tokio::test]
async fn nobody_asks_for_tokens_of_what_is_not_there() {
    let stage = Stage::new();
    let engine = limited(&stage, LONG_LEASE, &[at_once(2)]).await;
    for name in ["a", "b"] {
        stage.put("two", name);
        stage.body().await.end(1);
        stage.body().await.end(1);
        assert_eq!(stage.output(name).await, 2);
    }
    assert!(stage.store.dump().limits.is_empty(), "others may need them");
    assert_eq!((health(&engine).tokens, health(&engine).in_use), (0, 0));
}

#[tokio::test]
async fn tokens_go_to_the_worker_that_can_use_them() {
    let stage = Stage::new();
    let one = limited(&stage, LONG_LEASE, &[at_once(1)]).await;
    one.create("one", "a").await;
    let first = stage.body().await;
    let two = limited(&stage, LONG_LEASE, &[at_once(1)]).await;
    assert_eq!((health(&one).tokens, health(&one).in_use), (1, 1));
    // The first stops; what it drives goes on until it ends.
    let going_on = async {
        two.create("one", "b").await;
        stage.no_body().await;
        first.end(1);
        let second = stage.body().await;
        assert_eq!(second.instance, "b");
        second.end(2);
        assert_eq!(stage.output("b").await, 2);
    };
    let (report, ()) = tokio::join!(one.core.shutdown(Duration::from_secs(60)), going_on);
    assert!(report.handed_over);
    assert_eq!(two.way.most_held.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_keeps_its_tokens() {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.put("one", name);
    }
    let rules = [at_once(2)];
    let engine =
        stage.engine_with(Mode::Worker, LONG_LEASE, WORKFLOWS.to_vec(), |config| config.limits = rules.to_vec()).await;
    engine.way.garbled_claims.store(3, Ordering::SeqCst);
    // Another that would take what the first might give back.
    let other = limited(&stage, LONG_LEASE, &rules).await;
    for _ in 0..3 {
        stage.body().await.end(1);
    }
    for name in ["a", "b", "c"] {
        assert_eq!(stage.output(name).await, 1);
    }
    let most = |engine: &Engine| engine.way.most_held.load(Ordering::SeqCst);
    assert!(most(&engine).max(most(&other)) <= 2);
    eventually("all tokens are back", || counted(&stage) == (0, 0)).await;
}

#[tokio::test]
async fn starts_of_a_claim_whose_answer_was_lost_are_counted() {
    starts_are_counted(|way| way.garbled_claims.store(1, Ordering::SeqCst)).await;
}

#[tokio::test]
async fn starts_of_a_claim_that_was_sent_again_are_counted() {
    starts_are_counted(|way| way.lost_claims.store(1, Ordering::SeqCst)).await;
}

/// However the first answer is lost.
async fn starts_are_counted(lose: impl FnOnce(&Faulty)) {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.put("one", name);
    }
    let rules = [a_day(2)];
    let engine = stage
        .engine_with(Mode::Worker, LONG_LEASE, WORKFLOWS.to_vec(), |config| {
            config.limits = rules.to_vec();
        })
        .await;
    lose(&engine.way);
    for _ in 0..2 {
        stage.body().await.end(1);
    }
    eventually("both are counted", || counted(&stage) == (0, 2)).await;
    assert_eq!(stage.head("c").expect("created").state(), State::Queued);
    stage.no_body().await;
}

#[tokio::test]
async fn a_lost_session_loses_its_tokens_and_the_next_one_has_its_own() {
    let stage = Stage::new();
    let engine = limited(&stage, SHORT_LEASE, &[at_once(1)]).await;
    engine.create("one", "a").await;
    engine.create("one", "b").await;
    let first = stage.body().await;
    engine.way.heart_stopped.store(true, Ordering::SeqCst);
    first.dropped().await;
    engine.way.heart_stopped.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        let body = stage.body().await;
        assert_eq!(health(&engine).in_use, 1);
        body.end(1);
    }
    assert_eq!((stage.output("a").await, stage.output("b").await), (1, 1));
    eventually("all tokens are back", || counted(&stage) == (0, 0)).await;
    assert_eq!(health(&engine).in_use, 0);
    assert_eq!(engine.way.most_held.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_outage_costs_no_tokens() {
    let stage = Stage::new();
    let engine = limited(&stage, LONG_LEASE, &[at_once(1)]).await;
    engine.create("one", "a").await;
    let first = stage.body().await;
    engine.create("one", "b").await;
    engine.way.cut.send_replace(true);
    first.end(1);
    engine.way.lose_replies.store(3, Ordering::SeqCst);
    engine.way.cut.send_replace(false);
    stage.body().await.end(2);
    assert_eq!((stage.output("a").await, stage.output("b").await), (1, 2));
    eventually("all tokens are back", || counted(&stage) == (0, 0)).await;
    assert_eq!(engine.way.most_held.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_limit_that_cannot_be_read_is_in_the_way_of_nothing_else() {
    let stage = Stage::new();
    let engine = limited(&stage, LONG_LEASE, &[at_once(1)]).await;
    engine.way.damaged_limits.store(true, Ordering::SeqCst);
    stage.put("one", "limited");
    for name in ["a", "b"] {
        stage.put("two", name);
        for _ in 0..2 {
            let body = stage.body().await;
            assert_eq!(body.instance, name);
            body.end(1);
        }
        assert_eq!(stage.output(name).await, 2);
    }
    assert_eq!(stage.head("limited").expect("created").state(), State::Queued);
    engine.way.damaged_limits.store(false, Ordering::SeqCst);
    stage.body().await.end(1);
    assert_eq!(stage.output("limited").await, 1);
}

#[tokio::test]
async fn tokens_of_a_request_whose_answer_was_lost_are_given_back() {
    let stage = Stage::new();
    let engine = limited(&stage, LONG_LEASE, &[at_once(1)]).await;
    engine.way.garbled_leases.store(usize::MAX, Ordering::SeqCst);
    stage.put("one", "a");
    eventually("the store has given a token", || counted(&stage) == (1, 0)).await;
    // Nobody has a use for it any more, and the worker does not know that it has it.
    engine.control("a", Action::Terminate { reason: "no use".to_owned() }).await;
    engine.way.garbled_leases.store(0, Ordering::SeqCst);
    eventually("it is back", || counted(&stage) == (0, 0)).await;
}
