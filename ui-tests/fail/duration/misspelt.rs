use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    sleep("30 sceonds").await;
    let _ = step!("call", delay = "soon", call()).await;
    let _ = timeout("1.5 hours", sleep(1s)).await;
    id
}

fn main() {}
