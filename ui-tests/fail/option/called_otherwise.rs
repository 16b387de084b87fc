use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("a", max_attempts = 3, call()).await;
    let _ = step!("b", initial_interval = 2s, call()).await;
    let _ = step!("c", idempotency_key = id, call()).await;
    let _ = step!("d", limit = 3, call()).await;
    id
}

fn main() {}
