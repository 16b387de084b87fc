use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

struct Shop {
    retries: u32,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let _ = step!("call", retries = shop.retries, call()).await;
    total
}

fn main() {}
