//! Many instances in one call: each is created or refused on its own, and the outcomes come in the order of the items. With
//! ids the same batch can be sent again after a crash: what exists is attached to.
//!
//! Run it with `cargo run --example batch`. It prints the outcomes, and what the instances came to.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use workflow::prelude::*;

/// Sends one invoice.
#[workflow]
async fn invoice(number: u32) -> workflow::Result<String> {
    let sent = step!("send", retries = 3, delay = 1s, send(number)).await?;
    Ok(sent)
}

async fn send(number: u32) -> io::Result<String> {
    Ok(format!("invoice {number} is sent"))
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    // One has been sent before.
    invoice::create(&engine, 2).id("invoice-2").await?;

    let ids = ["invoice-1", "invoice-2", "invoice 3", "invoice-4"];
    let batch = || ids.iter().zip(1..).map(|(id, number)| invoice::new(number).id(*id));
    for (id, outcome) in ids.iter().zip(invoice::create_batch(&engine, batch()).await?) {
        match outcome {
            Ok(instance) => println!("{id}: {}", instance.result().await?),
            Err(EngineError::AlreadyExists { .. }) => println!("{id}: was there before"),
            Err(error) => println!("{id}: {error}"),
        }
    }

    // Again, as after a crash: those that exist give their handles. Up to 1,000 items make a batch.
    let outcomes = invoice::create_batch(&engine, batch()).attach().await?;
    let handles = outcomes.into_iter().filter_map(Result::ok);
    println!("the same again gives {} handles", handles.count());
    Ok(())
}
