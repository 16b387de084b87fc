//! The changes of an order as server-sent events: pushed from the store to the browser, no polling anywhere.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use futures::stream::unfold;
use workflow::Status;

use crate::Api;
use crate::errors::ApiError;
use crate::order::{Receipt, order};

/// Streams the status now and at each change, until the order has ended or the server does.
pub(crate) async fn watch(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let instance = order::get(&api.engine, id).await?;
    let stream = unfold((instance.on_change(), api.open), async |(mut changes, mut open)| {
        let status = tokio::select! {
            status = changes.next() => status?,
            _closed = open.changed() => return None,
        };
        Some((Ok(event(&status)), (changes, open)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn event(status: &Status<Receipt>) -> Event {
    let event = Event::default().event(status.state.word());
    event.json_data(status).unwrap_or_else(|error| Event::default().event("unreadable").data(error.to_string()))
}
