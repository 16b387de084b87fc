use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

async fn double(n: Result<u64, std::io::Error>) -> Result<u64, std::io::Error> {
    n.map(|n| n * 2)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", call().await).await;
    let _ = step!("again", double(call().await)).await;
    id
}

fn main() {}
