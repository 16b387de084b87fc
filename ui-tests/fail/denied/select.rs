use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    tokio::select! {
        n = fetch(1) => drop(n),
        n = fetch(2) => drop(n),
    }
    id
}

fn main() {}
