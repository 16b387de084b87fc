use workflow::prelude::*;

struct Order {
    id: u64,
}

#[workflow]
async fn order(id: u64) -> Order {
    Order { id }
}

fn main() {}
