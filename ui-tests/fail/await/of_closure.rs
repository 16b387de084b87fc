use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let load = |n| fetch(n);
    load(id).await
}

fn main() {}
