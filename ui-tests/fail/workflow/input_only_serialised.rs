use workflow::prelude::*;

#[derive(serde::Serialize)]
struct Order {
    id: u64,
}

#[workflow]
async fn order(order: Order) -> u64 {
    order.id
}

fn main() {}
