//! Asks a service again and again until it has what is wanted: a loop with a sleep. Between two looks the instance holds
//! nothing, so it may go on for a month.
//!
//! Run it with `cargo run --example polling`. It prints each look, and what came of it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// The longest pause between two looks; elsewhere it is minutes.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// How an export stands.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Export {
    Running { percent: u32 },
    Ready { url: String },
}

/// Orders an export of a table, and waits until it is ready.
#[workflow]
async fn export(table: String, #[resource] service: &Service) -> workflow::Result<String> {
    let job = step!("order", service.order(&table)).await?;
    let mut pause = Duration::from_millis(25);
    // A step in a `loop` needs no key: the third look is the third look in each replay.
    loop {
        match step!("look", retries = 3, delay = 1s, service.look(&job)).await? {
            Export::Ready { url } => return Ok(url),
            Export::Running { .. } => sleep(pause).await,
        }
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// Makes exports, slowly.
#[derive(Default)]
struct Service {
    looks: AtomicU32,
}

impl Service {
    async fn order(&self, table: &str) -> io::Result<String> {
        println!("ordering an export of {table}");
        Ok(format!("export-of-{table}"))
    }

    async fn look(&self, job: &str) -> io::Result<Export> {
        let percent = 25 * self.looks.fetch_add(1, Ordering::Relaxed);
        println!("{job}: {percent} %");
        if percent < 100 {
            Ok(Export::Running { percent })
        } else {
            Ok(Export::Ready { url: format!("https://exports.example/{job}.csv") })
        }
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").resource(Service::default()).start().await?;
    let instance = export::create(&engine, "orders".to_owned()).await?;
    println!("ready: {}", instance.result().await?);
    Ok(())
}
