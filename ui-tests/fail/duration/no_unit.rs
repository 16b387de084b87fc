use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(30).await;
    sleep("30").await;
    let _ = step!("call", timeout = 30, call()).await;
    id
}

fn main() {}
