//! The payment webhook: the provider calls it over HTTP, and it sends the event to the order.
//!
//! A delivery carries an id of its own, which becomes the event's: however often it is delivered, the order takes it
//! once. The answer tells the provider whether to call again: 5xx means yes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use workflow::{Engine, EngineError};

use crate::console::say;
use crate::engine::EngineSlot;
use crate::workflow::{PaymentConfirmed, order};

/// Where payments are posted.
pub(crate) const WEBHOOK_PATH: &str = "/webhooks/payment";

/// What the provider posts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// The delivery's id, the same each time it is repeated.
    pub id: String,
    /// The order that was paid for.
    pub order: String,
    /// The intent that was paid.
    pub intent: String,
    /// In cents.
    pub amount: u64,
}

#[derive(Debug, Clone)]
struct Webhook {
    /// Its own url, as the provider calls it.
    url: String,
    engine: EngineSlot,
}

/// Serves the webhook on a free port of the loopback as long as the process runs. Returns its `host:port`.
///
/// Until `engine` holds an engine the answer is 503.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn start(engine: EngineSlot) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let webhook = Webhook { url: format!("http://{address}{WEBHOOK_PATH}"), engine };
    let routes = Router::new().route(WEBHOOK_PATH, post(receive)).with_state(webhook);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            say(format_args!("webhook stopped: {error}"));
        }
    });
    Ok(address)
}

/// The body is read here and not by an extractor, so that a delivery counts whatever content type it claims.
async fn receive(State(webhook): State<Webhook>, body: Bytes) -> (StatusCode, String) {
    let payment: Payment = match serde_json::from_slice(&body) {
        Ok(payment) => payment,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("not a payment: {error}\n")),
    };
    let shown = serde_json::to_string(&payment).expect("strings and a number are JSON");
    say(format_args!("webhook {} {shown}", webhook.url));
    let Some(engine) = webhook.engine.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
    };
    match confirm(engine, payment).await {
        Ok(()) => (StatusCode::OK, "taken\n".to_owned()),
        Err(error) => (status(&error), format!("{error}\n")),
    }
}

/// Sends the event. Of one id an order takes one, so a repetition is taken and changes nothing.
async fn confirm(engine: &Engine, payment: Payment) -> Result<(), EngineError> {
    let Payment { id, order, intent, amount } = payment;
    let instance = order::get(engine, order).await?;
    let key = intent.clone();
    instance.send(PaymentConfirmed { intent, amount }).key(key).id(id).await?;
    Ok(())
}

/// What the provider makes of an error: whether it is worth calling again.
fn status(error: &EngineError) -> StatusCode {
    match error {
        EngineError::Store(_) | EngineError::NoAnswer { .. } | EngineError::MailboxFull { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        EngineError::NotFound { .. } => StatusCode::NOT_FOUND,
        EngineError::Finished { .. } => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}
