//! Parallel shipments: one group a warehouse, each with its own retries, joined by key.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parcel {
    warehouse: String,
    label: String,
    weight_grams: u32,
}

struct Logistics;

impl Logistics {
    async fn pick(&self, warehouse: &str, skus: &[String]) -> io::Result<u32> {
        let grams = skus.iter().map(String::len).sum::<usize>() + warehouse.len();
        remote::answer(u32::try_from(grams).unwrap_or(u32::MAX)).await
    }

    async fn label(&self, warehouse: &str, grams: u32) -> io::Result<String> {
        remote::answer(format!("{warehouse}-{grams}")).await
    }

    async fn announce(&self, parcels: &[Parcel]) -> io::Result<usize> {
        remote::answer(parcels.len()).await
    }
}

/// Sends the parts of an order from the warehouses that have them.
#[workflow]
async fn fulfil(allocation: BTreeMap<String, Vec<String>>, #[resource] logistics: &Logistics) -> workflow::Result<u32> {
    let parcels = try_join_all(allocation.iter().map(|(warehouse, skus)| {
        group!("ship", key = warehouse, retries = 2, delay = 10m, {
            let weight_grams = step!("pick", timeout = 1h, logistics.pick(warehouse, skus)).await?;
            let label = step!("print label", logistics.label(warehouse, weight_grams)).await?;
            Ok(Parcel { warehouse: warehouse.clone(), label, weight_grams })
        })
    }))
    .await?;
    let announced = step!("announce", logistics.announce(&parcels)).await?;
    if announced != parcels.len() {
        return Err("a parcel was lost".into());
    }
    Ok(parcels.iter().map(|parcel| parcel.weight_grams).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warehouse_ships_its_part() {
        let skus = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let allocation =
            BTreeMap::from([("berlin".to_owned(), skus(&["mug", "tea"])), ("lyon".to_owned(), skus(&["cup"]))]);
        let report = fulfil::test(allocation).resource(Logistics).fail("print label", 1, "no paper").run();
        assert_eq!(report.result, Ok(12 + 7));
    }
}
