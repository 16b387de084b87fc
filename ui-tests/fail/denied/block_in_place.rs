use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let sum = tokio::task::block_in_place(|| 1 + 1);
    id
}

fn main() {}
