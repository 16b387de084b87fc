use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let sum = tokio::task::spawn_blocking(|| 1 + 1);
    id
}

fn main() {}
