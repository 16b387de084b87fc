use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    use tokio::task::JoinSet;
    let mut calls = JoinSet::new();
    calls.spawn(call());
    id
}

fn main() {}
