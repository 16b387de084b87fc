use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("paid", call()).await;
    let _ = wait_for::<Paid>("paid").await;
    id
}

fn main() {}
