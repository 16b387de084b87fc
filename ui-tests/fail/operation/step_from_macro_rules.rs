use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

macro_rules! fetched {
    () => {
        step!("fetch", call())
    };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = fetched!().await;
    id
}

fn main() {}
