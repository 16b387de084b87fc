//! What the shop talks about: orders, users, payments, receipts. Plain data, recorded in the journal as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::StepError;

use crate::duration;

/// One order, as it stands in the orders file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Chosen by whoever placed the order; it becomes the id of the instance.
    pub id: String,
    /// Who ordered.
    #[serde(default)]
    pub user_id: u64,
    /// What was ordered.
    pub items: Vec<Item>,
    /// Whether the customer will pay: the stand-in for the payment provider asks it of nobody else.
    pub pays: bool,
    /// How long the shop waits for the payment.
    #[serde(with = "duration::text")]
    pub payment_timeout: Duration,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The article.
    pub sku: String,
    /// How many of it.
    #[serde(default = "one")]
    pub quantity: u32,
    /// The price of one, in cents.
    #[serde(default)]
    pub price: u64,
}

fn one() -> u32 {
    1
}

impl Order {
    /// What the customer owes, in cents; nothing when the sum is beyond 64 bits, which the input check refuses.
    pub(crate) fn total(&self) -> Option<u64> {
        self.items.iter().try_fold(0_u64, |sum, item| sum.checked_add(item.price.checked_mul(item.quantity.into())?))
    }

    /// What the payment provider is asked to collect.
    pub(crate) fn charge(&self) -> Charge {
        Charge { order: self.id.clone(), amount: self.total().unwrap_or(u64::MAX), pays: self.pays }
    }
}

/// A sum to collect for an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Charge {
    /// The order it is for; the provider names it in its webhook.
    pub order: String,
    /// In cents.
    pub amount: u64,
    /// Whether the customer goes through with it.
    pub pays: bool,
}

/// A customer of the shop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    /// The number the orders carry.
    pub id: u64,
    /// Where mail goes.
    pub email: String,
}

/// The payment provider's promise to collect a sum.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Given by the provider, the same each time the same step asks.
    pub id: String,
    /// In cents.
    pub amount: u64,
}

/// What an order ends in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Receipt {
    /// The customer paid and everything was sent.
    Paid {
        /// In cents.
        amount: u64,
    },
    /// The order was given up.
    Cancelled {
        /// Why.
        reason: String,
    },
}

impl Receipt {
    /// The receipt of an order that was paid.
    #[expect(clippy::needless_pass_by_value, reason = "an intent is used up by its receipt")]
    pub(crate) fn paid(intent: Intent) -> Self {
        // Not its id: that differs from store to store, and a receipt does not.
        Self::Paid { amount: intent.amount }
    }

    /// The receipt of an order that was given up.
    pub(crate) fn cancelled(reason: &str) -> Self {
        Self::Cancelled { reason: reason.to_owned() }
    }
}

/// Why an order could not be carried out.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub(crate) enum OrderError {
    /// A step failed for good.
    #[error("{message}")]
    Step {
        /// What the step said.
        message: String,
    },
}

impl From<StepError> for OrderError {
    fn from(error: StepError) -> Self {
        Self::Step { message: error.to_string() }
    }
}
