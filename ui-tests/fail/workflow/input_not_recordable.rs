use workflow::prelude::*;

struct Order {
    id: u64,
}

#[workflow]
async fn order(order: Order) -> u64 {
    order.id
}

fn main() {}
