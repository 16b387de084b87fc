use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(1.5h).await;
    id
}

fn main() {}
