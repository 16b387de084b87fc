use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

fn is_final(error: &str) -> bool {
    error.is_empty()
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", unless = is_final, call()).await;
    id
}

fn main() {}
