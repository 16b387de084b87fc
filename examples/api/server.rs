//! An API server: creates orders, says how they stand, and controls them. It runs none itself: `api_worker` does.
//!
//! Run it with `cargo run --example api_server -- --store sqlite:api.db`; `scripts/api-demo` starts it together with a
//! worker and asks it everything it can be asked. It ends at SIGTERM and Ctrl-C, after answering what it was asked.
//!
//! | | |
//! |---|---|
//! | `POST /orders` | creates an order; the same id again gives the order that is there |
//! | `GET /orders?state=…&limit=…&page=…` | orders, newest first |
//! | `GET /orders/{id}` | how it stands |
//! | `GET /orders/{id}/history` | what it did |
//! | `GET /orders/{id}/watch` | its changes, as server-sent events |
//! | `POST /orders/{id}/events` | sends it an event |
//! | `POST /orders/{id}/pause`, `/resume`, `/terminate`, `/restart` | |
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod errors;
mod order;
mod requests;
mod signals;
mod watch;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::watch::{Receiver, channel};
use workflow::{Engine, Mode};

use crate::errors::ApiError;
use crate::signals::Signals;

/// How long a store that does not answer is waited for before the answer is 503.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the API of orders.
#[derive(Debug, Parser)]
struct Options {
    /// The store that it shares with the workers: `sqlite:api.db`, `redis://127.0.0.1/`. Left out, it is what the
    /// environment variable WORKFLOW_STORE says.
    #[arg(long)]
    store: Option<String>,
    /// Where it listens; port 0 is a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,
}

/// What every request is given.
#[derive(Clone)]
struct Api {
    engine: Engine,
    /// Closed when the server ends: what streams ends then too.
    open: Receiver<()>,
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let options = Options::parse();
    let mut builder = Engine::builder().mode(Mode::Client).patience(PATIENCE);
    if let Some(store) = options.store {
        builder = builder.store(store);
    }
    let engine = builder.start().await?;
    let (close, open) = channel(());
    let routes = Router::new()
        .route("/orders", post(requests::create).get(requests::list))
        .route("/orders/{id}", get(requests::status))
        .route("/orders/{id}/history", get(requests::history))
        .route("/orders/{id}/watch", get(watch::watch))
        .route("/orders/{id}/events", post(requests::send_event))
        .route("/orders/{id}/{action}", post(requests::control))
        .fallback(async || ApiError::Route)
        .with_state(Api { engine: engine.clone(), open });

    let listener = TcpListener::bind(&options.listen).await?;
    let mut signals = Signals::new()?;
    println!("server is ready at {}", listener.local_addr()?);
    let ended = async move {
        signals.received().await;
        drop(close);
    };
    axum::serve(listener, routes).with_graceful_shutdown(ended).await?;
    engine.shutdown(Duration::ZERO).await;
    println!("server has stopped");
    Ok(())
}
