//! A saga: each step that succeeded leaves its compensation, and a failure undoes them, the newest first.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cart {
    customer: u64,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    cents: u64,
}

impl Cart {
    fn total(&self) -> u64 {
        self.lines.iter().map(|line| line.cents * u64::from(line.quantity)).sum()
    }
}

/// What was done, and so what may have to be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Done {
    Reserved { sku: String, quantity: u32 },
    Charged { charge: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Outcome {
    Shipped { tracking: String },
    Undone { because: String },
}

struct Shop {
    courier_is_down: bool,
}

impl Shop {
    async fn reserve(&self, line: &Line) -> io::Result<()> {
        let Line { sku, quantity, .. } = line;
        if *quantity > 100 {
            return remote::down(&format!("the warehouse of {sku}")).await;
        }
        remote::answer(()).await
    }

    async fn release(&self, sku: &str, quantity: u32) -> io::Result<()> {
        assert!(quantity > 0, "nothing of {sku} was reserved");
        remote::answer(()).await
    }

    async fn charge(&self, customer: u64, cents: u64, key: &str) -> io::Result<String> {
        remote::answer(format!("charge of {cents} to {customer} ({})", key.len())).await
    }

    async fn refund(&self, charge: &str) -> io::Result<usize> {
        remote::answer(charge.len()).await
    }

    async fn ship(&self, cart: &Cart) -> io::Result<String> {
        if self.courier_is_down {
            return remote::down("the courier").await;
        }
        remote::answer(format!("parcel of {}", cart.lines.len())).await
    }
}

/// Reserves, charges and ships; or none of it.
#[workflow]
async fn checkout(cart: Cart, #[resource] shop: &Shop) -> Result<Outcome, StepError> {
    let mut done = Vec::new();
    match attempt(&cart, shop, &mut done).await {
        Ok(tracking) => Ok(Outcome::Shipped { tracking }),
        Err(error) => {
            undo(done, shop).await?;
            Ok(Outcome::Undone { because: error.message().to_owned() })
        }
    }
}

#[part]
async fn attempt(cart: &Cart, shop: &Shop, done: &mut Vec<Done>) -> Result<String, StepError> {
    for line in &cart.lines {
        step!("reserve", key = line.sku, retries = 2, delay = 1s, shop.reserve(line)).await?;
        done.push(Done::Reserved { sku: line.sku.clone(), quantity: line.quantity });
    }
    let charge = step!("charge", retries = 3, delay = 2s, backoff = exponential, |cx| {
        Ok(shop.charge(cart.customer, cart.total(), &cx.idempotency_key()).await?)
    })
    .await?;
    done.push(Done::Charged { charge });
    step!("ship", shop.ship(cart)).await
}

#[part]
async fn undo(done: Vec<Done>, shop: &Shop) -> Result<(), StepError> {
    for (number, one) in done.into_iter().enumerate().rev() {
        match one {
            Done::Reserved { sku, quantity } => {
                step!("release", key = number, retries = 10, delay = 1m, shop.release(&sku, quantity)).await?;
            }
            Done::Charged { charge } => {
                step!("refund", key = number, retries = 10, delay = 1m, shop.refund(&charge)).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart() -> Cart {
        let line = |sku: &str| Line { sku: sku.to_owned(), quantity: 2, cents: 450 };
        Cart { customer: 7, lines: vec![line("mug"), line("tea")] }
    }

    #[test]
    fn everything_is_shipped() {
        let report = checkout::test(cart()).resource(Shop { courier_is_down: false }).run();
        assert_eq!(report.result, Ok(Outcome::Shipped { tracking: "parcel of 2".to_owned() }));
        assert_eq!(report.names().collect::<Vec<_>>(), ["reserve", "reserve", "charge", "ship"]);
    }

    #[test]
    fn what_was_done_is_undone_in_reverse() {
        let report = checkout::test(cart()).resource(Shop { courier_is_down: true }).run();
        assert_eq!(report.result, Ok(Outcome::Undone { because: "the courier is down".to_owned() }));
        assert_eq!(
            report.names().collect::<Vec<_>>(),
            ["reserve", "reserve", "charge", "ship", "refund", "release", "release"]
        );
    }
}
