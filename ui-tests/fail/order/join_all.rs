use std::collections::HashMap;
use workflow::prelude::*;

async fn reserve(count: u64) -> Result<u64, std::io::Error> {
    Ok(count)
}

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let all = join_all(stock.iter().map(|(name, count)| step!("reserve", key = name, reserve(*count)))).await;
    all.len() as u64
}

fn main() {}
