use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    race! {
        () = sleep(1s) => shop.limit,
        () = sleep(2s) => total,
    }
    .await
}

fn main() {}
