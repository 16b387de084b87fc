//! At each limit, one below it and one beyond, by every call that can come to it: what is beyond is refused there, and what
//! was asked for beside it is done.

use std::time::SystemTime;

use support::prelude::*;
use workflow::words::limits::{BATCH_MAX, INSTANCE_ID_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX};

on_every_store!(
    in_a_batch_what_is_within_its_limits_goes_through,
    batches_of_each_size_around_the_limit,
    payloads_of_each_size_around_the_limit,
    what_a_run_asks_for_is_bounded_where_it_asks,
);

/// Below, at and beyond a limit, each with whether it is within.
fn around(limit: usize) -> [(usize, bool); 3] {
    [(limit - 1, true), (limit, true), (limit + 1, false)]
}

/// What takes as many bytes as JSON.
fn text(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

#[workflow]
async fn takes(_text: String) {}

/// The braces, the name and the colon around the input.
const AROUND_THE_INPUT: usize = "{\"_text\":}".len();

async fn in_a_batch_what_is_within_its_limits_goes_through(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let small = || takes::new(String::new());
    let ten_years = Duration::from_secs(10 * 365 * 24 * 3_600);
    let later =
        |beyond: u64| SystemTime::now() + ten_years - Duration::from_secs(60) + Duration::from_secs(120 * beyond);
    let mut rows = Vec::new();
    for (bytes, fits) in around(INSTANCE_ID_BYTES_MAX) {
        rows.push((small().id("i".repeat(bytes)), fits, "invalid_id"));
    }
    for (bytes, fits) in around(NAME_BYTES_MAX) {
        rows.push((small().queue("q".repeat(bytes)), fits, "invalid_id"));
    }
    for (bytes, fits) in around(PAYLOAD_BYTES_MAX) {
        rows.push((takes::new(text(bytes - AROUND_THE_INPUT)), fits, "input"));
    }
    for (more, fits) in [(0, true), (1, false)] {
        let kept = ten_years + Duration::from_millis(more);
        rows.push((small().retention(kept, Duration::ZERO), fits, "option"));
        rows.push((small().retention(Duration::ZERO, kept), fits, "option"));
        rows.push((small().start_at(later(more)), fits, "option"));
    }
    let wanted: Vec<(bool, &str)> = rows.iter().map(|(_, fits, code)| (*fits, *code)).collect();
    let outcomes = takes::create_batch(&client, rows.into_iter().map(|(new, ..)| new)).await?;
    for (row, (outcome, (fits, code))) in outcomes.iter().zip(&wanted).enumerate() {
        match outcome {
            Ok(_) => assert!(fits, "row {row} was taken"),
            Err(error) => assert_eq!((false, *code), (*fits, error.code()), "row {row}: {error}"),
        }
    }
    let through = wanted.iter().filter(|(fits, _)| *fits).count();
    assert_eq!(client.list().limit(1_000).await?.instances.len(), through);
    Ok(())
}

async fn batches_of_each_size_around_the_limit(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let mut before = 0;
    for (size, fits) in around(BATCH_MAX) {
        let batch = takes::create_batch(&client, (0..size).map(|_| takes::new(String::new()))).await;
        match batch {
            Ok(outcomes) => {
                assert!(fits && outcomes.len() == size && outcomes.iter().all(Result::is_ok));
                before += size as u64;
            }
            Err(error) => assert_eq!((fits, error.code()), (false, "batch_too_large"), "{error}"),
        }
        let overview = client.overview().await?;
        assert_eq!(overview.ready, before, "all of a batch, or nothing");
    }
    Ok(())
}

/// An error that is recorded as it is.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("large")]
struct Large(String);

#[workflow]
async fn sizes(bytes: usize, how: String, #[resource] witness: &Witness) -> workflow::Result<String> {
    match how.as_str() {
        "result" => step!("large", retries = 0, witness.ok("large", text(bytes))).await.map(|_| "kept".to_owned())?,
        "group" => group!("group", { Ok(text(bytes)) }).await.map(|_| "kept".to_owned())?,
        "output" => return Ok(text(bytes)),
        "typed error" => {
            let failed = step!("typed", async { Err::<(), _>(Large(text(bytes))) }).typed().await;
            let kept = failed.expect_err("it fails").error().is_some_and(|large| large.0.len() + 2 == bytes);
            return if kept { Ok("kept".to_owned()) } else { Err(workflow::Error::msg("the limit is 1048576")) };
        }
        "child's input" => takes(text(bytes - AROUND_THE_INPUT)).await.map(|()| "kept".to_owned())?,
        "child's output" => sizes(bytes, "output".to_owned(), witness).await.map(|_| "kept".to_owned())?,
        other => return Err(workflow::Error::msg(other)),
    };
    Ok("kept".to_owned())
}

async fn payloads_of_each_size_around_the_limit(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(sizes, takes)>().start().await?;
    for (bytes, fits) in around(PAYLOAD_BYTES_MAX) {
        let created = takes::create(&engine, text(bytes - AROUND_THE_INPUT)).await;
        assert_eq!(created.is_ok(), fits, "an input of {bytes}");
        assert!(created.err().is_none_or(|error| error.code() == "input"));
        let instance =
            takes::create(&engine, String::new()).start_at(SystemTime::now() + Duration::from_secs(3_600)).await?;
        let sent = instance.send_type("t", text(bytes)).await;
        assert_eq!(sent.is_ok(), fits, "an event of {bytes}");
        assert!(sent.err().is_none_or(|error| error.code() == "payload"));
        for how in ["result", "group", "output", "typed error", "child's input", "child's output"] {
            let instance = sizes::create(&engine, bytes, how.to_owned()).await?;
            match instance.result().await {
                Ok(_) => assert!(fits, "{how} of {bytes}"),
                Err(error) => {
                    assert!(!fits, "{how} of {bytes}: {error}");
                    assert!(format!("{error:?}").contains("limit is 1048576"), "{how}: {error:?}");
                    assert!(format!("{error:?}").len() < 4_000, "{how}");
                }
            }
        }
    }
    Ok(())
}

#[workflow]
async fn asks(bytes: usize, how: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    let key = "k".repeat(bytes);
    match how.as_str() {
        "step" => step!("s", key = key, witness.ok("s", ())).await?,
        "group" => group!("g", key = key, { Ok(()) }).await?,
        "wait" => drop(wait_for::<Go>("w").key(&key).timeout(1ms).await),
        _ => drop(wait_for_type::<u64>("typed", key).timeout(1ms).await),
    }
    Ok(())
}

async fn what_a_run_asks_for_is_bounded_where_it_asks(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<asks>().start().await?;
    for how in ["step", "group", "wait", "type"] {
        for (bytes, fits) in around(KEY_BYTES_MAX) {
            let instance = asks::create(&engine, bytes, how.to_owned()).await?;
            let outcome = instance.result().await;
            assert_eq!(outcome.is_ok(), fits, "{how} of {bytes}: {outcome:?}");
            if !fits {
                assert!(format!("{outcome:?}").contains("the limit is 256"), "{how}: {outcome:?}");
                assert_eq!(stage.witness.count("s"), 2, "what is beyond does not begin");
            }
        }
    }
    Ok(())
}
