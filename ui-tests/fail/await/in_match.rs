use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    match fetch(id).await {
        0 => 1,
        n => n,
    }
}

fn main() {}
