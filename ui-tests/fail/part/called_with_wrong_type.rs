use workflow::prelude::*;

#[part]
async fn helper(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    helper("one").await + helper().await
}

fn main() {}
