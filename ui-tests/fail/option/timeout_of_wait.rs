use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = wait_for::<Paid>("payment").timeout(30).await;
    id
}

fn main() {}
