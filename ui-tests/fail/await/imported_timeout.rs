use tokio::time::timeout;
use workflow::prelude::*;

async fn call() -> std::io::Result<u64> {
    Ok(1)
}

/// Another library's, imported over ours.
#[workflow]
async fn order(id: u64) -> bool {
    timeout(std::time::Duration::from_secs(id), step!("call", call())).await.is_ok()
}

fn main() {}
