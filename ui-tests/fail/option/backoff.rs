use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("a", backoff = exponental, call()).await;
    let _ = step!("b", backoff = "linear", call()).await;
    let _ = step!("c", backoff = 2s, call()).await;
    id
}

fn main() {}
