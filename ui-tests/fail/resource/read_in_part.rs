use workflow::prelude::*;

struct Shop {
    limit: u64,
}

/// A part marks what it is handed of a resource, and is held to it.
#[part]
async fn check(total: u64, #[resource] shop: &Shop) -> bool {
    total < shop.limit
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> bool {
    check(total, shop).await
}

fn main() {}
