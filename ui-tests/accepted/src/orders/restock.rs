//! A loop that never ends by itself: sleeps, looks, orders, until an event stops it.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
struct Discontinued;

struct Stock;

impl Stock {
    async fn level(&self, sku: &str) -> io::Result<u32> {
        remote::answer(u32::try_from(sku.len()).unwrap_or_default()).await
    }

    async fn order(&self, sku: &str, quantity: u32) -> io::Result<String> {
        remote::answer(format!("{quantity} of {sku}")).await
    }
}

/// Keeps one article in stock until it is discontinued.
#[workflow]
async fn restock(sku: String, minimum: u32, #[resource] stock: &Stock) -> workflow::Result<Vec<String>> {
    let mut orders = vec![];
    loop {
        let level = step!("look", stock.level(&sku)).await?;
        if level < minimum {
            orders.push(step!("order", stock.order(&sku, minimum - level)).await?);
        }
        let stopped = race! {
            Discontinued = wait_for::<Discontinued>("discontinued") => true,
            () = sleep(1d) => false,
        }
        .await;
        if stopped || orders.len() >= 3 {
            break Ok(orders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_orders_each_day_until_it_is_discontinued() {
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        let report = restock::test("mug".to_owned(), 5).resource(Stock).advance(day).event(Discontinued).run();
        assert_eq!(report.result, Ok(vec!["2 of mug".to_owned(), "2 of mug".to_owned()]));
    }
}
