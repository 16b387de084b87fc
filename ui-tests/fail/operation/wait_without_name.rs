use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> u64 {
    wait_for::<Paid>().await;
    id
}

fn main() {}
