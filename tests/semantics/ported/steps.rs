//! "WorkflowStep" and "Advanced Features": steps, durations, sleeps, and what is built of them.

use std::sync::Arc;
use std::time::SystemTime;

use support::prelude::*;
use workflow::History;
use workflow::journal::path::Kind;

on_every_store!(
    every_unit_of_the_model_is_a_duration_of_ours,
    a_sleep_until_a_date_or_a_time_from_now_is_due_then,
    shared_resources_are_what_the_environment_is,
    a_conditional_step_runs_only_where_it_is_asked_for,
    a_failed_operation_is_cleaned_up_after_and_a_suspended_one_is_not,
);

#[workflow]
async fn three_backoffs() -> workflow::Result<()> {
    let _ = step!("constant", retries = 4, delay = "2 seconds", backoff = constant, down()).await;
    let _ = step!("linear", retries = 4, delay = "2 seconds", backoff = linear, down()).await;
    let _ = step!("exponential", retries = 4, delay = "2 seconds", backoff = exponential, down()).await;
    Ok(())
}

async fn down() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("down"))
}

/// The table "Backoff Strategies", to the millisecond; on stores, `b20_…` shows it.
#[test]
fn each_backoff_of_two_seconds_waits_as_the_table_says() {
    let report = three_backoffs::test().run();
    assert!(report.result.is_ok(), "{:?}", report.result);
    let gaps = |step: &str| {
        let of_step = report.records.iter().filter(|record| record.operation.contains(step));
        let times: Vec<_> = of_step.map(|record| record.at).collect();
        times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(gaps("constant"), [2_000, 2_000, 2_000, 2_000]);
    assert_eq!(gaps("linear"), [2_000, 4_000, 6_000, 8_000]);
    assert_eq!(gaps("exponential"), [2_000, 4_000, 8_000, 16_000]);
}

/// How long each is that `sleeps_of_every_unit` sleeps, in seconds.
const LENGTHS: [u64; 12] = [
    60,
    30 * 60,
    60 * 60,
    24 * 60 * 60,
    DAY,
    7 * DAY,
    7 * DAY,
    2 * 7 * DAY,
    30 * DAY,
    2 * 30 * DAY,
    365 * DAY,
    10 * 365 * DAY,
];

const DAY: u64 = 24 * 60 * 60;

#[workflow]
async fn sleeps_of_every_unit() {
    let _ = join!(
        sleep("1 minute"),
        sleep("30 minutes"),
        sleep("1 hour"),
        sleep("24 hours"),
        sleep("1 day"),
        sleep("7 days"),
        sleep("1 week"),
        sleep("2 weeks"),
        sleep("1 month"),
        sleep("2 months"),
        sleep("1 year"),
        sleep("10 years"),
    )
    .await;
}

#[workflow]
async fn short_sleeps() {
    sleep("1 millisecond").await;
    sleep("2 milliseconds").await;
    sleep("1 second").await;
    sleep("2 seconds").await;
}

/// "Duration Formats", as far as a real clock would have passed them before anybody looks.
#[test]
fn the_short_units_of_the_model_are_durations_of_ours() {
    let report = short_sleeps::test().run();
    assert_eq!(report.result, Ok(()));
    // Each begins when the one before has ended.
    let times: Vec<_> = report.records.iter().map(|record| record.at.as_millis()).collect();
    assert_eq!(times, [0, 1, 1, 3, 3, 1_003, 1_003, 3_003]);
}

/// When each sleep of a run is due, in the order in which the code names them.
fn due_times(history: &History) -> Vec<SystemTime> {
    let mut sleeps: Vec<_> = history.operations.iter().filter(|o| o.kind == Kind::Sleep).collect();
    sleeps.sort_by_key(|sleep| sleep.occurrence);
    sleeps.into_iter().filter_map(|sleep| sleep.due).collect()
}

/// "Duration Formats": all begin at one moment, so how far apart they are due tells how long each is.
async fn every_unit_of_the_model_is_a_duration_of_ours(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps_of_every_unit>().start().await?;
    let instance = sleeps_of_every_unit::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    let due = due_times(&instance.history().await?);
    let begun = due[0] - Duration::from_secs(LENGTHS[0]);
    let lengths: Vec<_> = due.iter().map(|due| due.duration_since(begun).unwrap_or_default()).collect();
    assert_eq!(lengths, LENGTHS.map(Duration::from_secs));
    Ok(())
}

#[workflow]
async fn sleeps_until_dates(date: SystemTime) -> workflow::Result<SystemTime> {
    sleep_until(SystemTime::UNIX_EPOCH).await;
    let in_an_hour = now().await + Duration::from_millis(3_600_000);
    join!(sleep_until(date), sleep_until(in_an_hour)).await;
    Ok(in_an_hour)
}

/// "sleepUntil()": a date, and `Date.now() + 3600000`; one that has passed holds nothing up.
async fn a_sleep_until_a_date_or_a_time_from_now_is_due_then(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps_until_dates>().start().await?;
    // The last second of 2035, as the sample has the last one of 2025.
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(2_082_758_399);
    let before = SystemTime::now();
    let instance = sleeps_until_dates::create(&engine, date).await?;
    wait::state(&instance, State::Waiting).await;
    let due = due_times(&instance.history().await?);
    // The one that had passed was over at once, and was never due.
    assert_eq!((due.len(), due[0]), (2, date), "to the millisecond");
    let in_an_hour = due[1].duration_since(before)?;
    // A millisecond for the rounding of the store's clock.
    let hour = Duration::from_secs(3_600);
    assert!(in_an_hour >= hour - Duration::from_millis(1) && in_an_hour < 2 * hour, "{in_an_hour:?}");
    Ok(())
}

/// What a workflow needs of the world, as the samples have it in `this.env`.
trait Database: Send + Sync {
    fn find(&self, user: u64) -> Option<String>;
}

struct InMemory;

impl Database for InMemory {
    fn find(&self, user: u64) -> Option<String> {
        (user == 7).then(|| "Ada".to_owned())
    }
}

struct Greeting(&'static str);

async fn fetch(database: &dyn Database, greeting: &Greeting, user: u64) -> Result<String, Oops> {
    let name = database.find(user).ok_or_else(|| Oops { step: "fetch".to_owned(), execution: 1 })?;
    Ok(format!("{} {name}", greeting.0))
}

#[workflow]
async fn my_workflow(
    user: u64,
    #[resource] database: &dyn Database,
    #[resource] greeting: &Greeting,
) -> workflow::Result<String> {
    Ok(step!("fetch", fetch(database, greeting, user)).await?)
}

/// "WorkflowEntrypoint": `env` is any number of resources here, each told by its type.
async fn shared_resources_are_what_the_environment_is(stage: Stage) -> TestResult {
    let database: Arc<dyn Database> = Arc::new(InMemory);
    let builder = stage.builder().resource_arc(Arc::clone(&database)).resource(Greeting("hello"));
    let engine = builder.only::<my_workflow>().start().await?;
    assert_eq!(my_workflow::create(&engine, 7).await?.result().await?, "hello Ada");
    Ok(())
}

#[workflow]
async fn may_need_approval(requires_approval: bool, #[resource] witness: &Witness) -> workflow::Result<bool> {
    if requires_approval {
        step!("Request approval", witness.ok("request approval", ())).await?;
    }
    wait_for::<Go>("go").await;
    Ok(step!("Process order", witness.ok("process order", requires_approval)).await?)
}

/// "Conditional Steps", and in a replay.
async fn a_conditional_step_runs_only_where_it_is_asked_for(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<may_need_approval>().start().await?;
    for (id, requires) in [("with", true), ("without", false)] {
        wait::state(&may_need_approval::create(&engine, requires).id(id).await?, State::Waiting).await;
    }
    stage.stop(engine).await;
    let engine = stage.builder().only::<may_need_approval>().start().await?;
    for (id, requires) in [("with", true), ("without", false)] {
        let instance = may_need_approval::get(&engine, id).await?;
        instance.send(Go { number: 1 }).await?;
        assert_eq!(instance.result().await?, requires);
    }
    assert_eq!((stage.witness.count("request approval"), stage.witness.count("process order")), (1, 2));
    Ok(())
}

#[workflow]
async fn risky(fails: bool, #[resource] witness: &Witness) -> workflow::Result<String> {
    let tried = group!("Risky operation", {
        step!("prepare", witness.ok("prepare", ())).await?;
        wait_for::<Go>("go").await;
        step!("act", witness.flaky("act", usize::from(fails), ())).await?;
        Ok(())
    })
    .await;
    match tried {
        Ok(()) => Ok("done".to_owned()),
        Err(error) => {
            step!("Cleanup", witness.ok("cleanup", ())).await?;
            Ok(format!("cleaned up: {}", error.message()))
        }
    }
}

/// "Error Handling". The model's `catch` also caught the signal with which it suspends, and cleaned up then.
async fn a_failed_operation_is_cleaned_up_after_and_a_suspended_one_is_not(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<risky>().start().await?;
    wait::state(&risky::create(&engine, false).id("good").await?, State::Waiting).await;
    wait::state(&risky::create(&engine, true).id("bad").await?, State::Waiting).await;
    stage.stop(engine).await;
    assert_eq!(stage.witness.notes(), ["prepare", "prepare"]);

    let engine = stage.builder().only::<risky>().start().await?;
    for (id, outcome) in [("bad", "cleaned up: step \"act\" failed: act failed at execution 1"), ("good", "done")] {
        let instance = risky::get(&engine, id).await?;
        instance.send(Go { number: 1 }).await?;
        assert_eq!(instance.result().await?, outcome);
    }
    assert_eq!(stage.witness.notes(), ["prepare", "prepare", "act", "cleanup", "act"]);
    Ok(())
}
