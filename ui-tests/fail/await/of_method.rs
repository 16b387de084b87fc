use workflow::prelude::*;

struct Shop;

impl Shop {
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

#[workflow]
async fn order(id: u64, #[resource] shop: &Shop) -> u64 {
    shop.user(id).await
}

fn main() {}
