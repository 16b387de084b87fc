//! A group is a step made of steps: it has its own result, and the options of a step. When it is tried again, what had
//! finished in it is not done again. When it has finished, a replay does not even look into it.
//!
//! Run it with `cargo run --example groups`. It prints what the steps do, and the history of the run as a tree.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use workflow::prelude::*;

/// Packs an order, ships it by whatever carrier takes it, and says how much that cost.
#[workflow]
async fn fulfil(items: Vec<String>, #[resource] carrier: &Carrier) -> workflow::Result<u64> {
    let boxes = group!("pack", {
        for item in &items {
            // Names in a group are its own: a step of this name may stand outside as well.
            step!("fetch", key = item, fetch(item)).await?;
        }
        Ok(step!("close the boxes", close_boxes(items.len())).await?)
    })
    .await?;
    let cost = group!("ship", retries = 2, delay = 50ms, {
        let label = step!("label", print_label(boxes)).await?;
        let cost = group!("hand over", timeout = 10s, {
            step!("call the carrier", carrier.call()).await?;
            Ok(step!("weigh", weigh(&label)).await?)
        })
        .await?;
        Ok(cost)
    })
    .await?;
    Ok(cost)
}

async fn fetch(item: &str) -> io::Result<()> {
    println!("fetching the {item}");
    Ok(())
}

async fn close_boxes(items: usize) -> io::Result<usize> {
    println!("closing the boxes");
    Ok(items.div_ceil(2))
}

async fn print_label(boxes: usize) -> io::Result<String> {
    println!("printing a label for {boxes} boxes");
    Ok(format!("{boxes} boxes"))
}

/// A carrier that does not answer the first time.
#[derive(Default)]
struct Carrier {
    calls: AtomicU32,
}

impl Carrier {
    async fn call(&self) -> io::Result<()> {
        println!("calling the carrier");
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 { Err(io::Error::other("nobody answers")) } else { Ok(()) }
    }
}

async fn weigh(label: &str) -> io::Result<u64> {
    println!("weighing {label}");
    Ok(1_200)
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").resource(Carrier::default()).start().await?;
    let items = ["mug", "pen", "book"].map(str::to_owned).to_vec();
    let instance = fulfil::create(&engine, items).id("order-1").await?;
    println!("it cost {}\n", instance.result().await?);
    println!("{}", instance.history().await?);
    Ok(())
}
