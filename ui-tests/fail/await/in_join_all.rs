use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let all = join_all((0..id).map(fetch)).await;
    all.len() as u64
}

fn main() {}
