use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let both = join!(async { fetch(id).await }, sleep(5s)).await;
    drop(both);
    id
}

fn main() {}
