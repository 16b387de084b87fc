use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", call()).await;
    let again = |n: u64| step!("call", key = n, call());
    let _ = again(id).await;
    id
}

fn main() {}
