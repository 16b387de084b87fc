use workflow::prelude::*;

struct Shop {
    limit: u64,
}

async fn pay(shop: &Shop, total: u64) -> u64 {
    total.min(shop.limit)
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let paid = pay(shop, total).await;
    paid
}

fn main() {}
