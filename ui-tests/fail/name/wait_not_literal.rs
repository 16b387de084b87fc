use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> u64 {
    let name = "paid";
    let _ = wait_for::<Paid>(name).await;
    id
}

fn main() {}
