use workflow::prelude::*;

struct Shop;

impl Shop {
    fn is_open(&self) -> bool {
        true
    }
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    if shop.is_open() {
        sleep(5s).await;
    }
    total
}

fn main() {}
