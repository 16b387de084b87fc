//! For operators: checks everything that a store keeps, and says what is wrong. Changes nothing, and may run beside workers.
//!
//! Run it with `cargo run --example fsck`: it shows what that looks like on a store of its own. Behind it stand the url of a
//! store and the namespace (`default` when it is left out): `-- redis://127.0.0.1/ shop`. It ends with 1 when something is
//! wrong, and with 2 when the store cannot be checked.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::process::ExitCode;

use workflow::prelude::*;
use workflow::{EngineError, Report};

/// Greets somebody.
#[workflow]
async fn greet(name: String) -> workflow::Result<String> {
    let greeting = step!("greet", async { Ok::<_, std::io::Error>(format!("Hello, {name}!")) }).await?;
    Ok(greeting)
}

/// A store of its own, with one instance that has ended.
async fn shown() -> Result<Report, EngineError> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let instance = greet::create(&engine, "Ada".to_owned()).await?;
    println!("{}", instance.result().await.unwrap_or_default());
    engine.fsck().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let report = match words.next() {
        Some(url) => workflow::fsck(&url, &words.next().unwrap_or_else(|| "default".to_owned())).await,
        None => shown().await,
    };
    match report {
        Ok(report) => {
            println!("{report}");
            if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}
