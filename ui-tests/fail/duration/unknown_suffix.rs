use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(24x).await;
    id
}

fn main() {}
