use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

async fn remind(id: u64) -> u64 {
    let _paid = wait_for::<Paid>("payment").await;
    id
}

fn main() {}
