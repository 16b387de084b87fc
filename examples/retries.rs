//! A step that fails is tried again as its options say: how often, after which delays, and for which errors. What was done
//! before is not done again, and a worker that dies in between changes nothing: the next attempt is in the store.
//!
//! Run it with `cargo run --example retries`. It prints each attempt, and how each of five steps ended. Delays of minutes
//! and hours work the same way: while it waits, an instance holds no slot of its worker.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use workflow::prelude::*;

/// Five steps that fail, each in its own way. Gives how they ended.
#[workflow]
async fn failures() -> workflow::Result<Vec<String>> {
    // Three times more, after 20, 40 and 80 ms. `linear` would be 20, 40, 60; `constant` 20, 20, 20.
    let flaky = step!("flaky", retries = 3, delay = 20ms, backoff = exponential, max_delay = 1s, |cx| flaky(cx)).await;
    // The last attempt's error is the step's: how many there were is in it.
    let hopeless = step!("hopeless", retries = 2, delay = 20ms, jitter = 0.5, |cx| hopeless(cx)).await;
    // A body that knows better says that trying again is of no use.
    let stolen = step!("stolen card", retries = 5, delay = 20ms, |cx| stolen_card(cx)).await;
    // The same decided outside, for errors of a body that is not your own.
    let missing = step!("missing", retries = 5, delay = 20ms, unless = is_missing, |cx| missing(cx)).await;
    // Each attempt has this long; then its body is dropped.
    let slow = step!("slow", retries = 1, delay = 20ms, timeout = 50ms, |cx| slow(cx)).await;

    let mut ends = vec![format!("flaky gave {}", flaky?)];
    for outcome in [hopeless, stolen, missing, slow] {
        ends.push(match outcome {
            Ok(()) => "it went well after all".to_owned(),
            Err(error) if error.is_fatal() => format!("{error} (not to be tried again)"),
            Err(error) => error.to_string(),
        });
    }
    Ok(ends)
}

async fn flaky(cx: StepContext) -> io::Result<u32> {
    println!("flaky: attempt {}", cx.attempt());
    if cx.attempt() < 3 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(42) }
}

async fn hopeless(cx: StepContext) -> io::Result<()> {
    println!("hopeless: attempt {}", cx.attempt());
    Err(io::ErrorKind::ConnectionRefused.into())
}

/// An error without `.fatal()`, here by `?`, would be tried again.
async fn stolen_card(cx: StepContext) -> Result<(), Fatal<io::Error>> {
    println!("stolen card: attempt {}", cx.attempt());
    Err(io::Error::other("the card is stolen").fatal())
}

async fn missing(cx: StepContext) -> io::Result<()> {
    println!("missing: attempt {}", cx.attempt());
    Err(io::ErrorKind::NotFound.into())
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

async fn slow(cx: StepContext) -> io::Result<()> {
    println!("slow: attempt {}", cx.attempt());
    std::future::pending().await
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let instance = failures::create(&engine).await?;
    for end in instance.result().await? {
        println!("{end}");
    }
    Ok(())
}
