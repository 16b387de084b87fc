//! The client half of HTTP, as little as the demo takes: JSON both ways, and server-sent events.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::AnyError;

/// A server, by its `host:port`.
#[derive(Debug)]
pub(crate) struct Server(pub String);

impl Server {
    /// Asks something; gives the status and the body, which is null when it is empty.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), AnyError> {
        let response = self.send(method, path, body).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? }))
    }

    /// Reads server-sent events until one of this name comes, or the last. Gives their names.
    pub(crate) async fn watch(&self, path: &str, until: &str) -> Result<Vec<String>, AnyError> {
        let mut body = self.send("GET", path, None).await?.into_body();
        let (mut text, mut names) = (String::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            text.push_str(std::str::from_utf8(&data)?);
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                names.extend(event.lines().find_map(|line| line.strip_prefix("event: ")).map(str::to_owned));
                if names.last().is_some_and(|name| name == until) {
                    return Ok(names);
                }
            }
        }
        Ok(names)
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response<Incoming>, AnyError> {
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header(HOST, &self.0);
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(bytes)))?;
        let stream = TcpStream::connect(&self.0).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the body, or when nobody reads it any more.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}
