use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let Shop { limit } = shop;
    sleep(5s).await;
    total.min(*limit)
}

fn main() {}
