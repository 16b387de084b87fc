//! Iterator chains and closures of all kinds, none of which awaits; the numbers they need come from one group.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sale {
    region: String,
    cents: u64,
    refunded: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    best: Option<String>,
    top: Vec<u64>,
    average: u64,
    lines: String,
}

struct Warehouse;

impl Warehouse {
    async fn sales(&self, region: &str) -> io::Result<Vec<Sale>> {
        let sale = |cents, refunded| Sale { region: region.to_owned(), cents, refunded };
        remote::answer(vec![sale(100 * region.len() as u64, false), sale(50, true), sale(30, false)]).await
    }
}

/// The sales of some regions.
#[workflow]
async fn report(regions: Vec<String>, #[resource] warehouse: &Warehouse) -> workflow::Result<Report> {
    let sales = group!("sales", retries = 1, delay = 5m, {
        let all = try_join_all(
            regions.iter().map(|region| step!("of region", key = region, timeout = 1m, warehouse.sales(region))),
        )
        .await?;
        Ok(all.into_iter().flatten().collect::<Vec<_>>())
    })
    .await?;
    let kept = || sales.iter().filter(|sale| !sale.refunded);
    let total_of = |region: &str| kept().filter(|sale| sale.region == region).map(|sale| sale.cents).sum::<u64>();
    let best = regions.iter().max_by_key(|region| total_of(region)).cloned();
    let mut top: Vec<u64> = kept().map(|sale| sale.cents).collect();
    top.sort_unstable_by_key(|cents| Reverse(*cents));
    top.truncate(2);
    let count = kept().count() as u64;
    let average = kept().map(|sale| sale.cents).sum::<u64>().checked_div(count).unwrap_or_default();
    let lines = regions
        .iter()
        .enumerate()
        .skip_while(|(_, region)| region.is_empty())
        .map(|(number, region)| format!("{number}: {region} {}", total_of(region)))
        .collect::<Vec<_>>()
        .join("\n");
    let add_title = {
        let title = format!("{} regions\n", regions.len());
        move |text: String| title.clone() + &text
    };
    Ok(Report { best, top, average, lines: add_title(lines) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written() {
        let run = report::test(vec!["eu".to_owned(), "apac".to_owned()]).resource(Warehouse).run();
        let expected = Report {
            best: Some("apac".to_owned()),
            top: vec![400, 200],
            average: 165,
            lines: "2 regions\n0: eu 230\n1: apac 430".to_owned(),
        };
        assert_eq!(run.result, Ok(expected));
    }
}
