use workflow::prelude::*;

#[part]
async fn helper(id: u64) -> u64 {
    id
}

async fn plain() {
    helper(1).await;
}

fn main() {}
