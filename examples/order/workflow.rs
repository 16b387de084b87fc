//! The order workflow: everything it does, in the order it does it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use crate::model::{Order, OrderError, Receipt};
use crate::shop::Shop;

/// The payment provider says that a customer paid.
#[derive(Event, Serialize, Deserialize)]
#[event(name = "stripe.payment")]
pub(crate) struct PaymentConfirmed {
    /// The intent that was paid.
    pub intent: String,
    /// In cents.
    pub amount: u64,
}

/// Takes an order from payment to review.
#[rustfmt::skip] // the options of a step read best on one line
#[workflow]
pub(crate) async fn order(order: Order, follow_up: Duration, #[resource] shop: &Shop) -> Result<Receipt, OrderError> {
    let user = step!("fetch user", |cx| shop.user(cx, order.user_id)).await?;
    let intent = step!("create payment intent", retries = 3, delay = 2s, backoff = exponential, timeout = 30s,
                       |cx| shop.stripe.create_intent(cx, &user, order.charge())).await?;
    match wait_for::<PaymentConfirmed>("payment").key(&intent.id).timeout(order.payment_timeout).await {
        Ok(_paid) => {}
        Err(TimedOut { .. }) => {
            step!("cancel order", |cx| shop.cancel(cx, &order.id)).await?;
            return Ok(Receipt::cancelled("payment_timeout"));
        }
    }
    for item in &order.items {
        step!("reserve", key = item.sku, |cx| shop.reserve(cx, item)).await?;
    }
    let (mail, label) = join!(step!("confirmation mail", |cx| shop.mail(cx, &user)),
                              step!("shipping label", |cx| shop.label(cx, &order))).await;
    mail?; label?;
    sleep(follow_up).await;
    step!("ask for review", |cx| shop.ask_review(cx, &user)).await?;
    Ok(Receipt::paid(intent))
}
