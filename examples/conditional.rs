//! `if`, `match`, `?` and `return` decide which steps there are. They may look at anything that was recorded: inputs,
//! results of steps, events. So a replay decides the same.
//!
//! Run it with `cargo run --example conditional`. It prints the steps that three claims went through.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// How much a claim is to be looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Risk {
    Low,
    High,
}

/// Settles an insurance claim.
#[workflow]
async fn claim(cents: u64, witnesses: u32) -> workflow::Result<String> {
    if cents < 10_000 {
        step!("pay at once", pay(cents)).await?;
        return Ok("paid at once".to_owned());
    }
    let verdict = match step!("assess", assess(witnesses)).await? {
        Risk::Low => "paid",
        Risk::High => {
            // Only claims of this kind ever have these steps.
            for visit in 1..=2_u32 {
                step!("visit", key = visit, visit_the_place(visit)).await?;
            }
            "paid after a visit"
        }
    };
    step!("pay", pay(cents)).await?;
    Ok(verdict.to_owned())
}

async fn assess(witnesses: u32) -> io::Result<Risk> {
    Ok(if witnesses > 0 { Risk::Low } else { Risk::High })
}

async fn visit_the_place(_visit: u32) -> io::Result<()> {
    Ok(())
}

async fn pay(_cents: u64) -> io::Result<()> {
    Ok(())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    for (id, cents, witnesses) in [("small", 5_000, 0), ("seen", 80_000, 3), ("unseen", 80_000, 0)] {
        let instance = claim::create(&engine, cents, witnesses).id(id).await?;
        let verdict = instance.result().await?;
        println!("{id}: {verdict}");
        for operation in instance.history().await?.operations {
            println!("{operation}");
        }
    }
    Ok(())
}
