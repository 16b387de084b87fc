//! Stands in for a payment provider: a service of somebody else's, reached over HTTP in both directions.
//!
//! It is asked for an intent, and a moment later calls the webhook to say that the customer paid, again and again until
//! the webhook answers. It is as forgetful as a test double: what it knew is gone when its process ends. Two things
//! make that harmless: an intent's id comes from the idempotency key it was asked with, so asking again gives the same
//! one; and a client offers it the intents that are still open.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::console::say;
use crate::http;
use crate::model::{Charge, Intent};
use crate::webhook::{Payment, WEBHOOK_PATH};

/// Where intents are asked for.
pub(crate) const INTENTS_PATH: &str = "/v1/payment_intents";
/// Where open intents are offered again.
pub(crate) const OFFERS_PATH: &str = "/v1/payment_intents/offers";

/// How long the customer takes to pay.
const PAYS_AFTER: Duration = Duration::from_millis(100);
/// How long the first pause is before a webhook that did not answer is called again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often an address that another process holds is tried again.
const BIND_PAUSE: Duration = Duration::from_millis(300);

/// Asks for an intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IntentRequest {
    /// Asking twice with one key gives one intent.
    pub idempotency_key: String,
    /// Who is asked to pay.
    pub email: String,
    /// What to collect.
    pub charge: Charge,
}

/// Tells the provider of an intent it may have forgotten.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// The intent, as the provider once named it.
    pub intent: String,
    /// What it was to collect.
    pub charge: Charge,
}

#[derive(Debug)]
struct Provider {
    /// `host:port` of the webhook.
    webhook: String,
    /// The intents it knows of, so that each is paid once.
    known: Mutex<HashSet<String>>,
}

/// Takes the address the provider listens on, and serves it as long as the process runs. Returns the address to call.
///
/// Where another client serves that very address already, this one stands by: it takes over when the other ends.
///
/// # Errors
/// When the address cannot be listened on for another reason.
pub(crate) async fn start(address: Option<&str>, webhook: String) -> std::io::Result<String> {
    let provider = Arc::new(Provider { webhook, known: Mutex::default() });
    let wanted = address.unwrap_or("127.0.0.1:0");
    match TcpListener::bind(wanted).await {
        Ok(listener) => {
            let bound = listener.local_addr()?.to_string();
            tokio::spawn(serve(listener, provider));
            Ok(address.map_or(bound, str::to_owned))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            say(format_args!("provider  {wanted} is served by another process; standing by"));
            tokio::spawn(stand_by(wanted.to_owned(), provider));
            Ok(wanted.to_owned())
        }
        Err(error) => Err(error),
    }
}

async fn stand_by(address: String, provider: Arc<Provider>) {
    loop {
        tokio::time::sleep(BIND_PAUSE).await;
        if let Ok(listener) = TcpListener::bind(&address).await {
            say(format_args!("provider  {address} is free now; taking over"));
            return serve(listener, provider).await;
        }
    }
}

async fn serve(listener: TcpListener, provider: Arc<Provider>) {
    let routes = Router::new()
        .route(INTENTS_PATH, post(create_intent))
        .route(OFFERS_PATH, post(offer_intent))
        .with_state(provider);
    if let Err(error) = axum::serve(listener, routes).await {
        say(format_args!("provider  stopped: {error}"));
    }
}

async fn create_intent(State(provider): State<Arc<Provider>>, Json(request): Json<IntentRequest>) -> Json<Intent> {
    let id = intent_id(&request.idempotency_key);
    let amount = request.charge.amount;
    provider.take(id.clone(), request.charge);
    Json(Intent { id, amount })
}

async fn offer_intent(State(provider): State<Arc<Provider>>, Json(offer): Json<Offer>) {
    provider.take(offer.intent, offer.charge);
}

/// Nothing is remembered from one request to the next, so the id must follow from the key alone.
fn intent_id(idempotency_key: &str) -> String {
    format!("pi_{}", idempotency_key.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>())
}

impl Provider {
    /// Collects an intent that is new here, if its customer pays.
    fn take(self: &Arc<Self>, intent: String, charge: Charge) {
        let new = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(intent.clone());
        if new && charge.pays {
            let payment = Payment { id: format!("evt_{intent}"), order: charge.order, intent, amount: charge.amount };
            tokio::spawn(Arc::clone(self).deliver(payment));
        }
    }

    /// Calls the webhook until it answers; 2xx and 4xx are answers.
    async fn deliver(self: Arc<Self>, payment: Payment) {
        tokio::time::sleep(PAYS_AFTER).await;
        let mut pause = FIRST_PAUSE;
        loop {
            match http::post(&self.webhook, WEBHOOK_PATH, &payment).await {
                Ok(answer) if !answer.status.is_server_error() => return,
                Ok(_) | Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
