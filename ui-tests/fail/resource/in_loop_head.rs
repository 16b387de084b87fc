use workflow::prelude::*;

struct Shop {
    zones: Vec<u64>,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    for zone in &shop.zones {
        sleep(5s).await;
    }
    total
}

fn main() {}
