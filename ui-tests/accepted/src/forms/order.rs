//! The workflow of the README, from its event to its handle.

use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "stripe.payment")]
struct PaymentConfirmed {
    intent: String,
    amount: u64,
}

/// Takes an order from payment to review.
#[workflow]
async fn order(order: Order, #[resource] shop: &Shop) -> Result<Receipt, OrderError> {
    let user = step!("fetch user", shop.user(order.user_id)).await?;
    let intent = step!(
        "create payment intent",
        retries = 3,
        delay = 2s,
        backoff = exponential,
        timeout = 30s,
        shop.stripe.create_intent(&user, order.total())
    )
    .await?;
    match wait_for::<PaymentConfirmed>("payment").key(&intent.id).timeout(10m).await {
        Ok(_paid) => {}
        Err(TimedOut { .. }) => {
            step!("cancel order", shop.cancel(&order.id)).await?;
            return Ok(Receipt::cancelled("payment_timeout"));
        }
    }
    for item in &order.items {
        step!("reserve", key = item.sku, shop.reserve(item)).await?;
    }
    let (mail, label) =
        join!(step!("confirmation mail", shop.mail(&user)), step!("shipping label", shop.label(&order))).await;
    mail?;
    label?;
    sleep(24h).await;
    step!("ask for review", shop.ask_review(&user)).await?;
    Ok(Receipt::paid(intent))
}

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
    user_id: u64,
    items: Vec<Item>,
}

impl Order {
    fn total(&self) -> u64 {
        self.items.len() as u64
    }
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
}

#[derive(Serialize, Deserialize)]
struct User {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct Intent {
    id: String,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    state: String,
}

impl Receipt {
    fn cancelled(reason: &str) -> Self {
        Self { state: reason.to_owned() }
    }

    fn paid(intent: Intent) -> Self {
        Self { state: intent.id }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OrderError(String);

impl From<StepError> for OrderError {
    fn from(error: StepError) -> Self {
        Self(error.to_string())
    }
}

struct Stripe;

impl Stripe {
    async fn create_intent(&self, user: &User, total: u64) -> io::Result<Intent> {
        Ok(Intent { id: format!("pi_{}_{total}", user.id) })
    }
}

struct Shop {
    stripe: Stripe,
}

impl Shop {
    async fn user(&self, id: u64) -> io::Result<User> {
        Ok(User { id })
    }

    async fn cancel(&self, _order: &str) -> io::Result<()> {
        Ok(())
    }

    async fn reserve(&self, _item: &Item) -> io::Result<()> {
        Ok(())
    }

    async fn mail(&self, _user: &User) -> io::Result<()> {
        Ok(())
    }

    async fn label(&self, _order: &Order) -> io::Result<()> {
        Ok(())
    }

    async fn ask_review(&self, _user: &User) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(sku: &str) -> Order {
        Order { id: "o-1".to_owned(), user_id: 1, items: vec![Item { sku: sku.to_owned() }] }
    }

    #[test]
    fn its_facts_are_constants() {
        assert_eq!(order::NAME, "order");
        assert_eq!(order::VERSION, 1);
        assert!(order::GRAPH.contains("create payment intent<br/>retries 3"), "{}", order::GRAPH);
    }

    #[test]
    fn a_paid_order_is_shipped() {
        let paid = PaymentConfirmed { intent: "pi_1_1".to_owned(), amount: 1 };
        let report = order::test(order_of("mug")).resource(Shop { stripe: Stripe }).event_keyed("pi_1_1", paid).run();
        assert_eq!(report.result.map(|receipt| receipt.state), Ok("pi_1_1".to_owned()));
    }

    #[test]
    fn an_unpaid_order_is_cancelled() {
        let report = order::test(order_of("mug")).resource(Shop { stripe: Stripe }).run();
        assert_eq!(report.result.map(|receipt| receipt.state), Ok("payment_timeout".to_owned()));
    }
}
