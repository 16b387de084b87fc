use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep_until(5m).await;
    id
}

fn main() {}
