use workflow::prelude::*;

#[workflow]
async fn other(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("other", other(1)).await;
    id
}

fn main() {}
