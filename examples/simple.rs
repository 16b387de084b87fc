//! Everything in one process: this program creates orders and runs them too. What the steps need of the world is a
//! resource of the engine. The next thing to look at is `api/`, which does the same in two programs.
//!
//! Run it with `cargo run --example simple`. It prints what the steps do, and what became of two orders: one is paid, one
//! is refused by its first step.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// What a customer orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    customer: String,
    cents: u64,
}

/// What the customer gets.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    payment: String,
    cents: u64,
}

/// Takes an order from its check to the customer's mail.
#[workflow]
async fn order(order: Order, #[resource] shop: &Shop) -> workflow::Result<Receipt> {
    step!("validate", shop.validate(&order)).await?;
    let payment = step!("take payment", retries = 3, delay = 100ms, |cx| shop.take_payment(cx, &order)).await?;
    step!("notify", retries = 3, delay = 100ms, shop.notify(&order, &payment)).await?;
    Ok(Receipt { payment, cents: order.cents })
}

/// A connection to the world. A real one has a pool of connections, a client for HTTP, and so on.
struct Shop {
    currency: &'static str,
}

impl Shop {
    async fn validate(&self, order: &Order) -> io::Result<()> {
        println!("  checking the order of {}", order.customer);
        if order.cents == 0 { Err(io::Error::other("there is nothing to pay")) } else { Ok(()) }
    }

    async fn take_payment(&self, cx: StepContext, order: &Order) -> io::Result<String> {
        // The same for each attempt: by this a payment provider tells a repetition from a second payment.
        let _key = cx.idempotency_key();
        println!("  taking {} {}", order.cents, self.currency);
        Ok(format!("payment of {}", order.customer))
    }

    async fn notify(&self, order: &Order, payment: &str) -> io::Result<()> {
        println!("  mail to {}: thank you for the {payment}", order.customer);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").resource(Shop { currency: "cents" }).start().await?;
    for (id, customer, cents) in [("order-1", "Ada", 1_250), ("order-2", "Grace", 0)] {
        println!("{id}");
        let instance = order::create(&engine, Order { customer: customer.to_owned(), cents }).id(id).await?;
        match instance.result().await {
            Ok(receipt) => println!("  {}: {} for {}", instance.status().await?.state, receipt.cents, receipt.payment),
            Err(ResultError::Failed(error)) => println!("  {}: {error}", instance.status().await?.state),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
