use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    id
}

fn main() {}
