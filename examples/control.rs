//! Operating: pausing, resuming, ending and beginning again; looking at what is there and what happened. Each takes effect
//! wherever the instance runs, and is kept once it is answered.
//!
//! Run it with `cargo run --example control`. It prints the state of two instances after each call, and their history.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use serde::{Deserialize, Serialize};
use workflow::Subject;
use workflow::prelude::*;

/// Somebody looked at the document.
#[derive(Debug, Event, Serialize, Deserialize)]
struct Reviewed {
    by: String,
}

/// Publishes a document after its review.
#[workflow]
async fn publish(document: String) -> workflow::Result<String> {
    step!("spell", spell(&document)).await?;
    let Reviewed { by } = wait_for("review").await;
    Ok(step!("publish", put_online(&document, &by)).await?)
}

async fn spell(_document: &str) -> io::Result<()> {
    Ok(())
}

async fn put_online(document: &str, by: &str) -> io::Result<String> {
    Ok(format!("{document}, reviewed by {by}"))
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let report = publish::create(&engine, "report".to_owned()).id("report").await?;
    until_it_waits(&report).await;
    let waits = report.status().await?.waits;
    println!("report waits for: {}", waits[0].operation);

    // What comes while it is paused is kept; its timers stand still.
    println!("paused: it is {}", report.pause().await?);
    report.send(Reviewed { by: "Ada".to_owned() }).await?;
    println!("an event was sent: it is {}", report.status().await?.state);
    report.resume().await?;
    println!("resumed: {}", report.result().await?);

    let draft = publish::create(&engine, "draft".to_owned()).id("draft").await?;
    until_it_waits(&draft).await;
    println!("terminated: it is {}", draft.terminate("it was a bad idea").await?);
    if let Err(error) = draft.result().await {
        println!("{error}");
    }
    // What makes no sense is refused, and changes nothing.
    if let Err(error) = draft.pause().await {
        println!("{error}");
    }

    // The second run has the same inputs; the history of the first one is kept.
    draft.restart().await?;
    draft.send(Reviewed { by: "Grace".to_owned() }).await?;
    println!("restarted: {}", draft.result().await?);
    println!("{}\n{}", draft.history_of(1).await?, draft.history().await?);

    let page = engine.list().of::<publish>().state(State::Complete).limit(10).await?;
    let mut ids: Vec<_> = page.instances.iter().map(|instance| instance.id.as_str()).collect();
    ids.sort_unstable();
    println!("complete: {}", ids.join(", "));
    Ok(())
}

/// Follows the changes of an instance, which are pushed, until it waits for something.
async fn until_it_waits<W: Subject>(instance: &Handle<W>) {
    let mut changes = instance.on_change();
    while changes.next().await.is_some_and(|status| status.waits.is_empty()) {}
}
