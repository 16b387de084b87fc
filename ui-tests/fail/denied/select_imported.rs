use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    use tokio::select;
    select! {
        _ = fetch(1) => {}
        _ = fetch(2) => {}
    }
    id
}

fn main() {}
