//! Results, changes and histories: pushed to whoever waits.

use std::sync::Arc;

use support::in_front::{Between, InFront};
use support::prelude::*;
use tokio::sync::Semaphore;
use workflow::journal::command::{Command, Reply, Then};
use workflow::store::{BoxFuture, Store, StoreError};

on_every_store!(
    a_result_is_pushed_to_many_waiters_in_every_process,
    a_result_that_does_not_come_in_time_says_so_and_changes_nothing,
    the_result_of_what_was_never_created_is_unknown,
    changes_are_pushed_until_the_end,
    a_history_shows_every_operation_with_its_attempts,
    a_status_shows_what_an_instance_waits_for,
    a_deadline_beside_a_running_body_is_kept_and_shown,
    a_wait_is_shown_once_it_is_written,
);

#[workflow]
async fn waits_then_ends(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("begin", retries = 1, delay = 10ms, witness.flaky("begin", 1, ())).await?;
    let go = wait_for::<Go>("approval").key("chief").timeout(1h).await?;
    Ok(go.number)
}

async fn a_result_is_pushed_to_many_waiters_in_every_process(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let client = stage.builder().mode(Mode::Client).start().await?;
    waits_then_ends::create(&engine).id("popular").await?;
    let mut waiting = Vec::new();
    for number in 0..100 {
        let near = if number % 2 == 0 { &engine } else { &client };
        let instance = waits_then_ends::get(near, "popular").await?;
        waiting.push(tokio::spawn(async move { instance.result().await }));
    }
    waits_then_ends::get(&client, "popular").await?.send(Go { number: 3 }).key("chief").await?;
    for waiter in waiting {
        assert_eq!(waiter.await??, 3);
    }
    Ok(())
}

async fn a_result_that_does_not_come_in_time_says_so_and_changes_nothing(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let instance = waits_then_ends::create(&engine).await?;
    let early = instance.result_within(Duration::from_millis(50)).await;
    assert!(matches!(early, Err(ResultError::TimedOut { .. })), "{early:?}");
    instance.send(Go { number: 4 }).key("chief").await?;
    assert_eq!(instance.result_within(wait::PATIENCE).await?, 4);
    Ok(())
}

async fn the_result_of_what_was_never_created_is_unknown(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let gone = Duration::from_millis(1);
    let instance = waits_then_ends::create(&engine).retention(gone, gone).await?;
    instance.terminate("not needed").await?;
    let forgotten = async || matches!(instance.result().await, Err(ResultError::Unknown { .. })).then_some(());
    wait::until("the instance is forgotten", forgotten).await;
    Ok(())
}

async fn changes_are_pushed_until_the_end(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let instance = waits_then_ends::create(&engine).await?;
    let mut changes = instance.on_change();
    let mut states = Vec::new();
    let mut sent = false;
    while let Some(status) = changes.next().await {
        states.push(status.state);
        if status.state == State::Waiting
            && status.waits.iter().any(|wait| wait.operation.contains("approval"))
            && !sent
        {
            sent = true;
            instance.send(Go { number: 5 }).key("chief").await?;
        }
        if status.state.is_final() {
            break;
        }
    }
    assert!(sent, "{states:?}");
    assert_eq!(states.last(), Some(&State::Complete));
    Ok(())
}

async fn a_history_shows_every_operation_with_its_attempts(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let instance = waits_then_ends::create(&engine).await?;
    instance.send(Go { number: 6 }).key("chief").await?;
    instance.result().await?;
    let history = instance.history().await?;
    let shown = format!("{history:?}");
    assert!(shown.contains("begin") && shown.contains("approval"), "{shown}");
    assert!(shown.contains("begin failed at execution 1"), "the failed attempt is there: {shown}");
    Ok(())
}

async fn a_status_shows_what_an_instance_waits_for(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_then_ends>().start().await?;
    let instance = waits_then_ends::create(&engine).await?;
    let look = async || {
        let status = instance.status().await.expect("the store of a test answers");
        let waits = status.waits.iter().any(|wait| wait.operation.contains("approval"));
        (waits && status.state == State::Waiting).then_some(status)
    };
    let status = wait::until("it waits for approval", look).await;
    let open = &status.waits[0];
    assert_eq!(open.target, WaitTarget::Event { event_type: Go::TYPE.to_owned(), key: "chief".to_owned() });
    let due = open.due.expect("a wait with a timeout has a deadline");
    let left = due.duration_since(status.created_at)?;
    assert!(left >= Duration::from_secs(3600) && left < Duration::from_secs(3700), "{left:?}");
    assert_eq!((status.state, status.run, status.output), (State::Waiting, 1, None));
    Ok(())
}

#[workflow]
async fn waits_beside_a_body(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let (work, go) = join!(step!("work", witness.held("work", ())), wait_for::<Go>("approval").timeout(1h)).await;
    work?;
    Ok(go?.number)
}

/// While the body runs the worker owns the instance: what runs and is waited for beside it is known there, and nowhere
/// else; the history has what has begun.
async fn a_deadline_beside_a_running_body_is_kept_and_shown(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_beside_a_body>().start().await?;
    let instance = waits_beside_a_body::create(&engine).await?;
    stage.witness.ran("work", 1).await;
    let history = instance.history().await?;
    let begun =
        history.operations.iter().find(|begun| begun.name == "approval").expect("it is written before the body");
    let shown = instance.status().await?;
    assert_eq!((shown.state, shown.runs.as_slice()), (State::Running, [1].as_slice()));
    let [runs] = shown.running.as_slice() else { panic!("one body runs: {shown:?}") };
    assert_eq!((runs.operation.as_str(), runs.path.as_str(), runs.attempt), ("step \"work\"", "s:work", 1));
    assert!(runs.since >= shown.created_at, "{shown:?}");
    assert_eq!(shown.waits.iter().map(|wait| wait.due).collect::<Vec<_>>(), [begun.due]);

    let elsewhere = stage.builder().mode(Mode::Client).start().await?;
    let shown = waits_beside_a_body::get(&elsewhere, instance.id()).await?.status().await?;
    assert_eq!((shown.state, shown.running.len(), shown.waits.len()), (State::Running, 0, 0));

    stage.witness.open("work");
    let waiting = wait::state(&instance, State::Waiting).await;
    assert_eq!(waiting.waits.iter().map(|wait| wait.due).collect::<Vec<_>>(), [begun.due]);
    assert!(begun.due.is_some() && waiting.running.is_empty());
    instance.send(Go { number: 8 }).await?;
    assert_eq!(instance.result().await?, 8);
    Ok(())
}

/// Keeps back every batch in which an instance goes to sleep.
#[derive(Debug)]
struct Insomnia {
    reached: Semaphore,
    lifted: Semaphore,
}

impl Between for Insomnia {
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        Box::pin(async move {
            let suspends = |command: &Command| match command {
                Command::Own(write) => matches!(write.write.then, Then::Suspend { .. }),
                _ => false,
            };
            if batch.iter().any(suspends) {
                self.reached.add_permits(1);
                let _ = self.lifted.acquire().await;
            }
            store.execute(partition, batch).await
        })
    }
}

#[workflow]
async fn only_waits() -> workflow::Result<u64> {
    Ok(wait_for::<Go>("approval").timeout(1h).await?.number)
}

/// Even by the engine that drives it and knows before: who sees a wait may rely on it.
async fn a_wait_is_shown_once_it_is_written(stage: Stage) -> TestResult {
    let insomnia = Insomnia { reached: Semaphore::new(0), lifted: Semaphore::new(0) };
    let store = Arc::new(InFront::of(stage.store().await, insomnia));
    let engine = stage.builder().store(store.clone()).only::<only_waits>().start().await?;
    let instance = only_waits::create(&engine).await?;
    store.reached.acquire().await?.forget();
    let unwritten = instance.status().await?;
    assert_eq!((unwritten.state, unwritten.waits.len()), (State::Running, 0), "{unwritten:?}");
    store.lifted.close();
    let written = wait::state(&instance, State::Waiting).await;
    assert_eq!(written.waits.len(), 1, "{written:?}");
    Ok(())
}
