//! A person decides. The workflow waits for the decision, which may take a second or a month, and holds nothing while it
//! waits. In between it reminds the person; without a decision in time the request is refused.
//!
//! Run it with `cargo run --example human_approval`. It prints two requests: one is granted after its second reminder, the
//! other is forgotten.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use workflow::prelude::*;

/// What the person decided.
#[derive(Debug, Event, Serialize, Deserialize)]
struct Decision {
    by: String,
    granted: bool,
}

/// Asks for an expense to be approved. Out in the world the times are `1d` and `7d`, and stand in the code.
#[workflow]
async fn expense(
    amount: u64,
    remind_every: Duration,
    patience: Duration,
    #[resource] manager: &Manager,
) -> workflow::Result<String> {
    step!("ask", retries = 3, delay = 1s, manager.ask(amount)).await?;
    let decided = timeout(patience, async {
        let mut reminders = 0;
        loop {
            race! {
                decision = wait_for::<Decision>("decision") => break Ok::<_, StepError>(decision),
                () = sleep(remind_every) => reminders += 1,
            }
            .await;
            step!("remind", key = reminders, retries = 3, delay = 1s, manager.remind(amount, reminders)).await?;
        }
    });
    match decided.await {
        Ok(Ok(Decision { by, granted: true })) => {
            step!("pay", retries = 3, delay = 1s, pay(amount)).await?;
            Ok(format!("paid {amount}, granted by {by}"))
        }
        Ok(Ok(Decision { by, .. })) => Ok(format!("refused by {by}")),
        Ok(Err(error)) => Err(error.into()),
        Err(TimedOut { .. }) => Ok("refused: nobody decided in time".to_owned()),
    }
}

async fn pay(amount: u64) -> io::Result<()> {
    println!("paying {amount}");
    Ok(())
}

/// Who is asked.
#[derive(Default)]
struct Manager {
    reminded_twice: Notify,
}

impl Manager {
    async fn ask(&self, amount: u64) -> io::Result<()> {
        println!("to the manager: may {amount} be spent?");
        Ok(())
    }

    async fn remind(&self, amount: u64, reminder: u32) -> io::Result<()> {
        println!("to the manager: reminder {reminder}, may {amount} be spent?");
        if reminder == 2 {
            self.reminded_twice.notify_one();
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let manager = Arc::new(Manager::default());
    let engine = Engine::builder().store("sqlite::memory:").resource_arc(Arc::clone(&manager)).start().await?;

    let decided =
        expense::create(&engine, 120, Duration::from_millis(200), Duration::from_secs(60)).id("expense-1").await?;
    manager.reminded_twice.notified().await;
    // From a web form, in any process that shares the store. One that comes before the wait begins is kept for it.
    expense::get(&engine, "expense-1").await?.send(Decision { by: "Ada".to_owned(), granted: true }).await?;
    println!("expense-1: {}", decided.result().await?);

    let forgotten = expense::create(&engine, 90_000, Duration::from_millis(200), Duration::from_millis(500))
        .id("expense-2")
        .await?;
    println!("expense-2: {}", forgotten.result().await?);
    Ok(())
}
