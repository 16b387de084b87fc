use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let mut calls = FuturesUnordered::new();
    calls.push(call());
    calls.next().await;
    id
}

fn main() {}
