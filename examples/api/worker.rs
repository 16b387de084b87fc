//! A worker: runs what others create on the same store. Start as many as you like, on as many machines as reach the store.
//!
//! Run it with `cargo run --example api_worker -- --store sqlite:api.db`; see `scripts/api-demo`. It ends at SIGTERM and
//! Ctrl-C: takes nothing more, lets the step bodies that run end, and hands over the rest.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod order;
mod signals;

use std::time::Duration;

use clap::Parser;
use workflow::{Engine, Mode};

use crate::order::Shop;
use crate::signals::Signals;

/// How long step bodies may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs orders.
#[derive(Debug, Parser)]
struct Options {
    /// The store that it shares with the server: `sqlite:api.db`, `redis://127.0.0.1/`. Left out, it is what the
    /// environment variable WORKFLOW_STORE says.
    #[arg(long)]
    store: Option<String>,
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let options = Options::parse();
    let mut builder = Engine::builder().mode(Mode::Worker).resource(Shop);
    if let Some(store) = options.store {
        builder = builder.store(store);
    }
    let engine = builder.start().await?;
    let mut signals = Signals::new()?;
    println!("worker is ready");
    signals.received().await;
    engine.shutdown(GRACE).await;
    println!("worker has stopped");
    Ok(())
}
