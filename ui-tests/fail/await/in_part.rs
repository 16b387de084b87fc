use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[part]
async fn helper(id: u64) -> u64 {
    fetch(id).await
}

fn main() {}
