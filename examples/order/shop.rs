//! The shop: what the steps of an order do. Each method is the body of one step, and may run again after a crash.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::StepContext;

use crate::http::{self, NoAnswer};
use crate::model::{Charge, Intent, Item, Order, User};
use crate::provider::{INTENTS_PATH, IntentRequest};
use crate::workbench::{Workbench, WorkbenchError};

/// The steps of an order, whose bodies are below.
pub(crate) const STEPS: [&str; 7] = [
    "fetch user",
    "create payment intent",
    "cancel order",
    "reserve",
    "confirmation mail",
    "shipping label",
    "ask for review",
];

/// How long a provider that does not answer is left alone before it is asked again.
const PROVIDER_PAUSE: Duration = Duration::from_millis(100);

/// Everything the order workflow needs from outside.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    /// The payment provider.
    pub stripe: Stripe,
    bench: Arc<Workbench>,
}

/// The payment provider, seen from the shop.
#[derive(Debug, Clone)]
pub(crate) struct Stripe {
    address: String,
    bench: Arc<Workbench>,
}

/// Why the shop could not do something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShopError {
    /// The body could not leave its trace.
    #[error(transparent)]
    Workbench(#[from] WorkbenchError),
    /// The payment provider said no.
    #[error("the payment provider answered {status}")]
    Refused {
        /// How it said no.
        status: u16,
    },
    /// The payment provider said something else.
    #[error("the payment provider's answer is not an intent: {0}")]
    Answer(#[from] serde_json::Error),
}

/// An order that was given up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    /// Which.
    pub order: String,
}

/// Goods set aside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reservation {
    /// The article.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
}

/// A mail that went out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mail {
    /// To whom.
    pub to: String,
}

/// A parcel's label.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Label {
    /// What the carrier follows it by.
    pub tracking: String,
}

impl Shop {
    /// A shop whose payment provider listens at `provider` (`host:port`).
    pub(crate) fn new(provider: String, bench: Arc<Workbench>) -> Self {
        Self { stripe: Stripe { address: provider, bench: Arc::clone(&bench) }, bench }
    }

    /// Looks a customer up.
    pub(crate) async fn user(&self, cx: StepContext, id: u64) -> Result<User, ShopError> {
        self.bench.work(&cx, async { Ok(User { id, email: format!("user-{id}@example.com") }) }).await
    }

    /// Gives an order up.
    pub(crate) async fn cancel(&self, cx: StepContext, order: &str) -> Result<Cancellation, ShopError> {
        self.bench.work(&cx, async { Ok(Cancellation { order: order.to_owned() }) }).await
    }

    /// Sets goods aside.
    pub(crate) async fn reserve(&self, cx: StepContext, item: &Item) -> Result<Reservation, ShopError> {
        self.bench.work(&cx, async { Ok(Reservation { sku: item.sku.clone(), quantity: item.quantity }) }).await
    }

    /// Tells the customer that the order is on its way.
    pub(crate) async fn mail(&self, cx: StepContext, user: &User) -> Result<Mail, ShopError> {
        self.bench.work(&cx, async { Ok(Mail { to: user.email.clone() }) }).await
    }

    /// Has the parcel's label made.
    pub(crate) async fn label(&self, cx: StepContext, order: &Order) -> Result<Label, ShopError> {
        self.bench.work(&cx, async { Ok(Label { tracking: format!("parcel-{}", order.id) }) }).await
    }

    /// Asks the customer how it was.
    pub(crate) async fn ask_review(&self, cx: StepContext, user: &User) -> Result<Mail, ShopError> {
        self.bench.work(&cx, async { Ok(Mail { to: user.email.clone() }) }).await
    }
}

impl Stripe {
    /// Has the provider open an intent. A provider that cannot be reached is asked until the step's time is up:
    /// the idempotency key makes asking twice the same as asking once.
    pub(crate) async fn create_intent(
        &self,
        cx: StepContext,
        user: &User,
        charge: Charge,
    ) -> Result<Intent, ShopError> {
        let request = IntentRequest { idempotency_key: cx.idempotency_key(), email: user.email.clone(), charge };
        self.bench.work(&cx, self.ask(&request)).await
    }

    async fn ask(&self, request: &IntentRequest) -> Result<Intent, ShopError> {
        loop {
            match http::post(&self.address, INTENTS_PATH, request).await {
                Ok(answer) if answer.status.is_success() => return Ok(serde_json::from_slice(&answer.body)?),
                Ok(answer) => return Err(ShopError::Refused { status: answer.status.as_u16() }),
                Err(NoAnswer::Body(error)) => return Err(error.into()),
                Err(_) => tokio::time::sleep(PROVIDER_PAUSE).await,
            }
        }
    }
}
