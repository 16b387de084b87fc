//! Workflows in a crate that knows the framework by another name: `crate = …` says which, to every attribute.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The order was paid.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "renamed.paid", crate = durable)]
pub struct Paid {
    /// How much.
    pub cents: u64,
}

/// Why there is no parcel.
#[derive(Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum OrderError {
    /// A step failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Nobody paid.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The parcel failed.
    #[error(transparent)]
    Parcel(#[from] ChildError<durable::Error>),
}

async fn call(n: u64) -> std::io::Result<u64> {
    std::future::ready(Ok(n)).await
}

#[part(crate = durable)]
async fn reserve(items: &[u64]) -> Result<u64, StepError> {
    let reserved =
        try_join_all(items.iter().map(|item| step!("reserve", key = item, retries = 2, call(*item)))).await?;
    Ok(reserved.iter().sum())
}

/// Sends a parcel.
#[workflow(name = "renamed.parcel", crate = ::durable)]
pub async fn parcel(items: Vec<u64>) -> durable::Result<u64> {
    let weight = durable::group!("pack", timeout = 1h, {
        let (weight, label) =
            durable::join!(durable::step!("weigh", call(items.len() as u64)), step!("label", call(1))).await;
        Ok(weight? + label?)
    })
    .await?;
    durable::prelude::sleep(1d).await;
    Ok(weight)
}

/// Takes an order.
#[workflow(crate = durable)]
pub async fn order(items: Vec<u64>, #[default = 3d] patience: std::time::Duration) -> Result<u64, OrderError> {
    let reserved = reserve(&items).await?;
    let Paid { cents } = wait_for::<Paid>("paid").timeout(patience).await?;
    let extra = durable::race! {
        extra = step!("extra", { Ok(call(cents).await?) }) => extra?,
        () = sleep("5 minutes") => 0,
    }
    .await;
    let (weight, ()) = try_join!(async { Ok(parcel(items).await?) }, async {
        let waited = now().await;
        sleep_until(waited + 1h).await;
        Ok::<_, OrderError>(())
    },)
    .await?;
    Ok(reserved + extra + weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_sent() {
        let patience = std::time::Duration::from_secs(60);
        let report = order::test(vec![7, 8], patience).event(Paid { cents: 100 }).run();
        assert_eq!(report.result, Ok(15 + 100 + 3));
        assert_eq!((order::NAME, parcel::NAME), ("order", "renamed.parcel"));
    }
}
