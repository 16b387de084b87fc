//! The workflow that the server creates and the worker runs. Both programs have this file: the server for its types and
//! its name, the worker for its code.

use std::io;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// What a customer orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub customer: String,
    pub cents: u64,
}

/// What the customer gets.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub paid: u64,
    pub parcel: String,
}

/// The money is there. The server sends it by its name, as it sends all events.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "payment.received")]
struct PaymentReceived {
    cents: u64,
}

/// Takes an order from its check to the parcel.
#[workflow]
pub(crate) async fn order(order: Order, #[resource] shop: &Shop) -> workflow::Result<Receipt> {
    step!("validate", shop.validate(&order)).await?;
    step!("reserve", retries = 3, delay = 1s, shop.reserve(&order)).await?;
    let Ok(PaymentReceived { cents: paid }) = wait_for("payment").timeout(10m).await else {
        step!("release", retries = 10, delay = 1s, shop.release(&order)).await?;
        return Err("nobody paid".into());
    };
    let parcel = step!("ship", retries = 3, delay = 1s, shop.ship(&order)).await?;
    Ok(Receipt { paid, parcel })
}

/// What the worker has and the server does not need: connections to the world.
#[derive(Default)]
pub(crate) struct Shop;

impl Shop {
    async fn validate(&self, order: &Order) -> io::Result<()> {
        if order.cents == 0 { Err(io::Error::other("there is nothing to pay")) } else { Ok(()) }
    }

    async fn reserve(&self, _order: &Order) -> io::Result<()> {
        Ok(())
    }

    async fn release(&self, _order: &Order) -> io::Result<()> {
        Ok(())
    }

    async fn ship(&self, order: &Order) -> io::Result<String> {
        Ok(format!("parcel for {}", order.customer))
    }
}
