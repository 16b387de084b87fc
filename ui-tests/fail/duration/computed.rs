use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(5 * 60).await;
    id
}

fn main() {}
