use workflow::prelude::*;

struct Shop {
    limits: Vec<u64>,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let Some(limit) = shop.limits.first() else { return 0 };
    sleep(5s).await;
    total.min(*limit)
}

fn main() {}
