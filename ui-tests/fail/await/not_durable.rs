use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let user = fetch(id).await;
    let doubled: u64 = user * 2;
    drop(doubled);
    id
}

fn main() {}
