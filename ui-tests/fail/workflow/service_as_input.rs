use std::sync::Arc;
use workflow::prelude::*;

struct Shop;

#[workflow]
async fn order(id: u64, shop: Arc<Shop>) -> u64 {
    drop(shop);
    id
}

fn main() {}
