use workflow::prelude::*;

struct Orders;

#[workflow]
impl Orders {
    async fn order(id: u64) -> u64 {
        id
    }
}

fn main() {}
