use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    assert!(total < shop.limit);
    total
}

fn main() {}
