//! The little of HTTP that a payment takes: post JSON, get a status and JSON back.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What became of it.
    pub status: StatusCode,
    /// What was said.
    pub body: Bytes,
}

/// No answer came: whether the request arrived is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nobody listens, or the connection broke.
    #[error("connection: {0}")]
    Connection(#[from] std::io::Error),
    /// The exchange broke off.
    #[error("exchange: {0}")]
    Exchange(#[from] hyper::Error),
    /// The request could not be put in words.
    #[error("request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The body could not be put in JSON.
    #[error("body: {0}")]
    Body(#[from] serde_json::Error),
}

/// Posts `body` as JSON to `path` of the server at `address` (`host:port`).
///
/// # Errors
/// When no answer came. Any answer at all, an error status too, is `Ok`.
pub(crate) async fn post(address: &str, path: &str, body: &impl Serialize) -> Result<Answer, NoAnswer> {
    let request = Request::post(path)
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection is driven here and not by a task of its own: it ends with the exchange, or when the caller is dropped.
    tokio::pin!(connection);
    tokio::select! {
        biased;
        answer = exchange => answer,
        ended = &mut connection => Err(ended.err().map_or_else(closed_early, NoAnswer::from)),
    }
}

fn closed_early() -> NoAnswer {
    NoAnswer::Connection(std::io::ErrorKind::UnexpectedEof.into())
}
