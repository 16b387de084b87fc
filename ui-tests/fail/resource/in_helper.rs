use workflow::prelude::*;

struct Shop {
    limit: u64,
}

fn is_much(shop: &Shop, total: u64) -> bool {
    total > shop.limit
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    if is_much(shop, total) {
        sleep(5s).await;
    }
    total
}

fn main() {}
