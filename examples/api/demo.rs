//! Starts the API server and a worker as two programs on one store, asks the server what it can be asked, and stops both.
//!
//! Run it with `scripts/api-demo sqlite` or `scripts/api-demo redis`, which build the programs first. It prints each
//! request and its answer. The SQLite file, or the Redis server, is its own and in a temporary folder. Ctrl-C stops
//! everything too.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod http;
mod processes;
mod signals;
mod tour;

use std::error::Error;

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use crate::http::Server;
use crate::processes::{Process, Redis};
use crate::tour::Tour;

/// What ends the demo early: shown, never handled.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// Shows an API server and a worker at work.
#[derive(Debug, Parser)]
struct Options {
    /// Where the orders are kept.
    #[arg(value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StoreKind {
    /// A file that both programs open.
    Sqlite,
    /// A Redis server, started for the demo.
    Redis,
}

/// Where the store is; it goes when this is dropped.
enum Store {
    Sqlite(TempDir),
    Redis(Redis),
}

impl Store {
    async fn of(kind: StoreKind) -> Result<Self, AnyError> {
        Ok(match kind {
            StoreKind::Sqlite => Self::Sqlite(tempfile::tempdir()?),
            StoreKind::Redis => Self::Redis(Redis::start().await?),
        })
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("api.db").display()),
            Self::Redis(redis) => redis.url(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let options = Options::parse();
    let store = Store::of(options.store).await?;
    let url = store.url();
    let mut server = Process::start("api_server", &["--store", &url, "--listen", "127.0.0.1:0"])?;
    let mut worker = Process::start("api_worker", &["--store", &url])?;

    let shown = async {
        let address = server.says("server is ready at ").await?;
        worker.says("worker is ready").await?;
        println!("a server and a worker are ready, on {:?}", options.store);
        Tour::new(Server(address)).take().await
    };
    let shown = tokio::select! {
        shown = shown => shown,
        told = signals::told_to_end() => told.map_err(AnyError::from),
    };

    for (name, process) in [("server", server), ("worker", worker)] {
        println!("{name}: {}", process.end().await?);
    }
    if let Store::Redis(redis) = store {
        redis.end().await?;
    }
    shown
}
