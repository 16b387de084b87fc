//! What a history shows of attempts, errors, waits and pauses, of the newest run and of earlier ones; what a consumer of
//! changes sees that is slow.

use std::error::Error as StdError;
use std::fmt;

use support::prelude::*;
use workflow::{History, Operation, OperationEnd};

on_every_store!(
    a_failed_attempt_has_its_time_and_the_class_message_and_chain_of_its_error,
    a_wait_has_its_deadline_before_and_after_its_end,
    a_pause_moves_what_is_due_in_the_history_as_it_does_in_the_status,
    the_history_of_a_run_before_a_restart_can_be_read_by_whoever_comes_later,
    a_slow_consumer_of_changes_gets_the_last_one,
    an_attempt_that_runs_is_in_the_status_of_its_own_engine,
);

/// An error with a cause.
#[derive(Debug)]
struct Jammed(Oops);

impl fmt::Display for Jammed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the printer is jammed")
    }
}

impl StdError for Jammed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[workflow]
async fn prints(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let print = async || witness.flaky("print", 1, 7).await.map_err(Jammed);
    Ok(step!("print", retries = 2, delay = 20ms, print()).await?)
}

fn operation<'a>(history: &'a History, name: &str) -> &'a Operation {
    let found = history.operations.iter().find(|operation| operation.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in {history}"))
}

async fn a_failed_attempt_has_its_time_and_the_class_message_and_chain_of_its_error(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<prints>().start().await?;
    let instance = prints::create(&engine).await?;
    assert_eq!(instance.result().await?, 7);
    let (history, status) = (instance.history().await?, instance.status().await?);
    let print = operation(&history, "print");
    let [attempt] = print.failed_attempts.as_slice() else { panic!("one attempt failed: {print:?}") };
    assert_eq!((attempt.number, print.attempts()), (1, 2));
    let error = &attempt.error;
    assert_eq!((error.kind, error.message.as_str()), (FailureKind::Failed, "the printer is jammed"));
    assert!(error.class.ends_with("histories::Jammed"), "{error:?}");
    assert_eq!(error.chain, ["print failed at execution 1"]);
    let (retry_at, ended_at) = (attempt.retry_at.expect("it was tried again"), print.ended_at.expect("it ended"));
    assert!(retry_at.duration_since(attempt.at)? >= Duration::from_millis(20), "{attempt:?}");
    assert!(status.started_at <= attempt.at && retry_at <= ended_at && Some(ended_at) <= status.ended_at, "{print:?}");
    Ok(())
}

#[workflow]
async fn waits_twice() -> workflow::Result<u64> {
    let late = wait_for::<Go>("late").timeout(30ms).await;
    let go = wait_for::<Go>("in time").key("k").timeout(2h).await?;
    sleep(3h).await;
    Ok(go.number + u64::from(late.is_ok()))
}

async fn a_wait_has_its_deadline_before_and_after_its_end(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_twice>().start().await?;
    let instance = waits_twice::create(&engine).await?;
    let opened = async || {
        let history = instance.history().await.expect("the store of a test answers");
        history.operations.iter().any(|operation| operation.name == "in time").then_some(history)
    };
    let open = wait::until("it waits a second time", opened).await;
    let (late, in_time) = (operation(&open, "late"), operation(&open, "in time"));
    assert_eq!(late.end, Some(OperationEnd::TimedOut));
    assert!(late.due.is_none() && late.deadline <= late.ended_at && late.deadline.is_some(), "{late:?}");
    assert!(in_time.end.is_none() && in_time.due.is_some() && in_time.due == in_time.deadline, "{in_time:?}");

    instance.send(Go { number: 1 }).key("k").await?;
    let slept = async || {
        let history = instance.history().await.expect("the store of a test answers");
        history.operations.iter().any(|operation| operation.kind.word() == "sleep").then_some(history)
    };
    let ended = wait::until("it rests", slept).await;
    let ended = operation(&ended, "in time");
    assert!(matches!(ended.end, Some(OperationEnd::Event(_))), "{ended:?}");
    assert_eq!((ended.due, ended.deadline), (None, in_time.deadline));
    Ok(())
}

#[workflow]
async fn waits_for_a_day() -> workflow::Result<()> {
    let (_, _) = join!(sleep(24h), wait_for::<Go>("go")).await;
    Ok(())
}

async fn a_pause_moves_what_is_due_in_the_history_as_it_does_in_the_status(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_a_day>().start().await?;
    let instance = waits_for_a_day::create(&engine).await?;
    let before = wait::state(&instance, State::Waiting).await;
    instance.pause().await?;
    let paused = wait::state(&instance, State::Paused).await;
    let since = paused.paused.expect("it is paused").since;
    wait::moment(Instant::now() + Duration::from_millis(20)).await;
    instance.resume().await?;
    // Its worker learns of the pause when it is woken, and writes it down.
    instance.send(Go { number: 1 }).await?;
    let told = async || {
        let history = instance.history().await.expect("the store of a test answers");
        (!history.pauses.is_empty()).then_some(history)
    };
    let history = wait::until("the pause is in the history", told).await;
    let status = wait::state(&instance, State::Waiting).await;
    let sleep = history.operations.iter().find(|operation| operation.kind.word() == "sleep").expect("it sleeps");
    let due = sleep.due.expect("it is open");
    let timer = |status: &Status<()>| status.waits.iter().find_map(|wait| wait.due).expect("its timer");
    assert!(due > timer(&before), "it moved by the pause since {since:?}: {sleep:?}");
    assert_eq!((due, sleep.deadline), (timer(&status), Some(due)), "{history:?}");
    Ok(())
}

async fn the_history_of_a_run_before_a_restart_can_be_read_by_whoever_comes_later(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<prints>().start().await?;
    let instance = prints::create(&engine).id("again").await?;
    instance.result().await?;
    let before = instance.history().await?;
    instance.restart().await?;
    instance.result().await?;
    stage.stop(engine).await;

    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = prints::get(&client, "again").await?;
    let status = instance.status().await?;
    assert_eq!((status.run, status.runs.as_slice()), (2, [1, 2].as_slice()));
    let old = instance.history_of(1).await?;
    assert_eq!((old.run, serde_json::to_value(&old)?), (1, serde_json::to_value(&before)?));
    let new = instance.history().await?;
    assert_eq!((new.run, operation(&new, "print").attempts()), (2, 1));
    assert!(matches!(instance.history_of(3).await, Err(EngineError::NoSuchRun { run: 3, .. })));
    Ok(())
}

async fn a_slow_consumer_of_changes_gets_the_last_one(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_a_day>().start().await?;
    let instance = waits_for_a_day::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    let mut changes = instance.on_change();
    assert_eq!(changes.next().await.expect("the state as it is").state, State::Waiting);
    // Nobody takes these.
    for _ in 0..50 {
        instance.pause().await?;
        instance.resume().await?;
    }
    instance.terminate("enough").await?;
    let last = changes.next().await.expect("the newest");
    assert_eq!((last.state, last.terminated.as_deref()), (State::Terminated, Some("enough")));
    assert!(changes.next().await.is_none() && changes.error().is_none());
    Ok(())
}

#[workflow]
async fn tries_twice(#[resource] witness: &Witness) -> workflow::Result<()> {
    group!("twice", {
        step!("try", key = "k", retries = 1, async {
            match witness.note("try") {
                1 => witness.fails("first").await,
                _ => witness.held("second", ()).await,
            }
        })
        .await?;
        Ok(())
    })
    .await?;
    Ok(())
}

async fn an_attempt_that_runs_is_in_the_status_of_its_own_engine(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<tries_twice>().start().await?;
    let instance = tries_twice::create(&engine).await?;
    stage.witness.ran("second", 1).await;
    let status = instance.status().await?;
    let [runs] = status.running.as_slice() else { panic!("one body runs: {status:?}") };
    assert_eq!((runs.operation.as_str(), runs.attempt), ("group \"twice\" › step \"try\" [k]", 2));
    stage.witness.open("second");
    instance.result().await?;
    assert!(instance.status().await?.running.is_empty());
    Ok(())
}
