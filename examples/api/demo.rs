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
use crate::signals::Signals;
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

/// A store of the demo's own; it goes when this is dropped.
struct Store {
    url: String,
    redis: Option<Redis>,
    _folder: TempDir,
}

impl Store {
    async fn of(kind: StoreKind) -> Result<Self, AnyError> {
        let folder = tempfile::tempdir()?;
        let redis = match kind {
            StoreKind::Sqlite => None,
            StoreKind::Redis => Some(Redis::start(folder.path()).await?),
        };
        let file = || format!("sqlite:{}", folder.path().join("api.db").display());
        Ok(Self { url: redis.as_ref().map_or_else(file, Redis::url), redis, _folder: folder })
    }
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let options = Options::parse();
    let mut signals = Signals::new()?;
    let store = Store::of(options.store).await?;
    let mut server = Process::start("api_server", &["--store", &store.url, "--listen", "127.0.0.1:0"])?;
    let mut worker = Process::start("api_worker", &["--store", &store.url])?;

    let shown = async {
        let address = server.says("server is ready at ").await?;
        worker.says("worker is ready").await?;
        println!("a server and a worker are ready, on {:?}", options.store);
        Tour::new(Server(address)).take().await
    };
    let shown = tokio::select! {
        shown = shown => shown,
        () = signals.received() => Err("interrupted".into()),
    };

    for (name, process) in [("server", server), ("worker", worker)] {
        println!("{name}: {}", process.end().await?);
    }
    if let Some(redis) = store.redis {
        redis.end().await?;
    }
    shown
}
