use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", retries = 1_000_000, call()).await;
    id
}

fn main() {}
