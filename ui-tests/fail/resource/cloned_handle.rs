use std::sync::Arc;
use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Arc<Shop>) -> u64 {
    let shared = Arc::clone(shop);
    sleep(5s).await;
    total.min(shared.limit)
}

fn main() {}
