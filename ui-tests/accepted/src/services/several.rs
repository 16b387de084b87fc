//! Several resources between the inputs, one of them unused so far, one of a library's type.

use crate::remote;
use std::collections::BTreeMap;
use std::io;
use workflow::prelude::*;

struct Metrics;

struct Prices(BTreeMap<String, u64>);

impl Prices {
    async fn of(&self, sku: &str) -> io::Result<Option<u64>> {
        remote::answer(self.0.get(sku).copied()).await
    }
}

async fn convert(rates: &BTreeMap<String, f64>, cents: u64, currency: &str) -> io::Result<f64> {
    let rate = rates.get(currency).copied().unwrap_or(1.0);
    #[expect(clippy::cast_precision_loss, reason = "prices are small")]
    remote::answer(cents as f64 * rate).await
}

/// What something costs abroad.
#[workflow]
async fn price_abroad(
    #[resource] prices: &Prices,
    sku: String,
    #[resource] rates: &BTreeMap<String, f64>,
    #[default = "eur".to_owned()] currency: String,
    #[resource] _metrics: &Metrics,
) -> workflow::Result<Option<f64>> {
    let Some(cents) = step!("price", prices.of(&sku)).await? else { return Ok(None) };
    Ok(Some(step!("convert", convert(rates, cents, &currency)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_converted() {
        let report = price_abroad::test("mug".to_owned(), "usd".to_owned())
            .resource(Prices(BTreeMap::from([("mug".to_owned(), 400)])))
            .resource(BTreeMap::from([("usd".to_owned(), 1.5)]))
            .resource(Metrics)
            .run();
        assert_eq!(report.result, Ok(Some(600.0)));
    }
}
