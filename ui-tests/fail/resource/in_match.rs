use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    match shop.limit {
        0 => sleep(5s).await,
        _ => sleep(1s).await,
    }
    total
}

fn main() {}
