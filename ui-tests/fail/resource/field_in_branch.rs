use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    if total > shop.limit {
        sleep(5s).await;
    }
    total
}

fn main() {}
