use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let known = matches!(fetch(id).await, 1..=9);
    u64::from(known)
}

fn main() {}
