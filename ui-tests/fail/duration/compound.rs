use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep("1h 30m").await;
    id
}

fn main() {}
