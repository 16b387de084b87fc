use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(11_000d).await;
    sleep("11 years").await;
    id
}

fn main() {}
