//! A person decides: the workflow waits for the decision, which may take a second or a month, and holds nothing while it
//! waits. Without a decision in time the request is refused.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use serde::{Deserialize, Serialize};
use workflow::Engine;
use workflow::prelude::*;

/// What the person decided.
#[derive(Debug, Event, Serialize, Deserialize)]
struct Decision {
    by: String,
    granted: bool,
}

/// Asks for an expense to be approved.
#[workflow]
async fn expense(amount: u64) -> workflow::Result<String> {
    step!("notify the manager", notify(amount)).await?;
    match wait_for::<Decision>("decision").timeout(3s).await {
        Ok(Decision { by, granted: true }) => {
            step!("pay", pay(amount)).await?;
            Ok(format!("paid {amount}, granted by {by}"))
        }
        Ok(Decision { by, .. }) => Ok(format!("refused by {by}")),
        Err(TimedOut { .. }) => Ok("refused: nobody decided in time".to_owned()),
    }
}

async fn notify(amount: u64) -> Result<(), std::io::Error> {
    println!("to the manager: may {amount} be spent?");
    Ok(())
}

async fn pay(amount: u64) -> Result<(), std::io::Error> {
    println!("paying {amount}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let decided = expense::create(&engine, 120).id("expense-1").await?;
    let forgotten = expense::create(&engine, 90_000).id("expense-2").await?;

    // From a web form, in any process that shares the store. Sent before the wait begins or after: it is kept.
    expense::get(&engine, "expense-1").await?.send(Decision { by: "Ada".to_owned(), granted: true }).await?;

    println!("expense-1: {}", decided.result().await?);
    println!("expense-2: {}", forgotten.result().await?);
    Ok(())
}
