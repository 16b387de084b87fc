use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let all = join_all((0..id).map(|n| async move { fetch(n).await })).await;
    all.len() as u64
}

fn main() {}
