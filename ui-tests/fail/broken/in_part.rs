use workflow::prelude::*;

#[part]
async fn helper(id: u64) -> u64 {
    let n = id +;
    n
}

#[workflow]
async fn order(id: u64) -> u64 {
    helper(id).await
}

fn main() {}
