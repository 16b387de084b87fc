use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(5s).retries(3).await;
    id
}

fn main() {}
