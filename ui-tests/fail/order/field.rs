use std::collections::HashMap;
use workflow::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    stock: HashMap<String, u64>,
}

#[workflow]
async fn order(order: Order) -> u64 {
    for count in order.stock.values() {
        sleep(5s).await;
    }
    0
}

fn main() {}
