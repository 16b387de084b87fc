use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn other(limit: u64) -> u64 {
    limit
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    other(shop.limit).await.unwrap_or(total)
}

fn main() {}
