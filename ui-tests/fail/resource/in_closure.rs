use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(prices: Vec<u64>, #[resource] shop: &Shop) -> u64 {
    let cheap = prices.iter().filter(|price| **price < shop.limit).count();
    cheap as u64
}

fn main() {}
