//! The flagship example: orders from payment to review, in one process or in several, killed as you like.
//!
//! `workflow.rs` is the workflow, and all that a reader new to the framework needs to see. The rest is the world around
//! it: `shop.rs` does what the steps say, `provider.rs` and `webhook.rs` are the two ends of the payment, `client.rs`
//! and `worker.rs` are what a process can be, and `timeline.rs` shows afterwards what was replayed and what ran.

mod cli;
mod client;
mod console;
mod duration;
mod effects;
mod engine;
mod floor;
mod follower;
mod http;
mod input;
mod model;
mod provider;
mod shop;
mod timeline;
mod webhook;
mod workbench;
mod worker;
mod workflow;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Mode, Options};
use crate::console::say;

/// What ends the program early: shown to the user, never handled.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .init();
    match start(&options) {
        Ok(code) => code,
        Err(error) => {
            say(format_args!("error: {}", with_causes(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<ExitCode, AnyError> {
    options.check()?;
    // Before anything else exists: an input that is wrong must leave nothing behind. A worker takes its orders from the
    // store.
    let orders = match options.mode {
        Mode::Worker => Vec::new(),
        Mode::All | Mode::Client => input::read(options.orders.as_deref().unwrap_or(Path::new(input::SHIPPED)))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new()?;
        match options.mode {
            Mode::Worker => worker::run(options, &mut signals).await,
            Mode::All | Mode::Client => client::run(options, orders, &mut signals).await,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// An error and what is behind it, in one line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Many errors repeat their source in their own words.
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// The signals that tell a process to end.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them; gives the exit code of a process that ends for it before its work is done.
    pub(crate) async fn received(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => 128 + 15,
            _ = self.interrupt.recv() => 128 + 2,
        }
    }
}
