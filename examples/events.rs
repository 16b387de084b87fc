//! Events: what comes from outside, such as a webhook. One that comes early is kept until somebody waits for it; one that
//! is delivered twice is taken once; the first of several decides.
//!
//! Run it with `cargo run --example events`. It prints what became of three parcels.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// The carrier has the parcel. A type and a name that others can send, whatever they are written in.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "carrier.picked_up")]
struct PickedUp {
    truck: u32,
}

/// The customer has it.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "carrier.delivered")]
struct Delivered {
    at: String,
}

/// Nobody has it.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "carrier.lost")]
struct Lost;

/// Follows a parcel to its end.
#[workflow]
async fn parcel(number: String, patience: Duration) -> workflow::Result<String> {
    // The key chooses among events of one type: this one is for this parcel number only.
    let PickedUp { truck } = match wait_for::<PickedUp>("pick-up").key(&number).timeout(patience).await {
        Ok(picked_up) => picked_up,
        Err(TimedOut { .. }) => return Ok("never picked up".to_owned()),
    };
    // The first of the two decides, for ever.
    let end = race! {
        Delivered { at } = wait_for("delivery") => format!("delivered at the {at} by truck {truck}"),
        Lost = wait_for("loss") => format!("lost by truck {truck}"),
    }
    .await;
    Ok(end)
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;

    // Both events are there before anybody waits for the second: it is kept.
    let first = parcel::create(&engine, "A1".to_owned(), MINUTE).await?;
    first.send(Delivered { at: "door".to_owned() }).await?;
    first.send(PickedUp { truck: 7 }).key("A1").await?;
    println!("A1: {}", first.result().await?);

    // A webhook may call twice, and knows names and JSON only. With the delivery's id the event is taken once.
    let second = parcel::create(&engine, "B2".to_owned(), MINUTE).id("parcel-B2").await?;
    let by_id = engine.instance("parcel-B2").await?;
    for _delivered_twice in 0..2 {
        by_id.send_type("carrier.picked_up", serde_json::json!({ "truck": 8 })).key("B2").id("delivery-1").await?;
    }
    by_id.send_type("carrier.lost", ()).await?;
    println!("B2: {}", second.result().await?);
    println!(
        "    {} waits, {} events left",
        second.history().await?.operations.len(),
        second.status().await?.unread_events
    );

    // For another number: nobody waits for it.
    let third = parcel::create(&engine, "C3".to_owned(), Duration::from_millis(300)).await?;
    third.send(PickedUp { truck: 9 }).key("D4").await?;
    println!("C3: {}", third.result().await?);
    Ok(())
}
