use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    id
}

async fn plain() {
    let _ = order(1).await;
}

fn main() {}
