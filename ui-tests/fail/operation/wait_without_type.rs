use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> u64 {
    let paid = wait_for("payment").await;
    id
}

fn main() {}
