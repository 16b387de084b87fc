//! Stands in for the services that the steps of these workflows call.

use std::io;

/// What a service answers.
pub(crate) async fn answer<T>(value: T) -> io::Result<T> {
    std::future::ready(Ok(value)).await
}

/// A service that is down.
pub(crate) async fn down<T>(service: &str) -> io::Result<T> {
    std::future::ready(Err(io::Error::other(format!("{service} is down")))).await
}
