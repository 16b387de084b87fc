use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

struct Shop {
    name: String,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    wait_for::<Paid>("payment").key(&shop.name).await;
    total
}

fn main() {}
