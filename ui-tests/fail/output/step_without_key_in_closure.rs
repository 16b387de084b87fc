#![deny(deprecated)]

use workflow::prelude::*;

async fn reserve(item: &u64) -> Result<u64, std::io::Error> {
    Ok(*item)
}

#[workflow]
async fn order(items: Vec<u64>) -> u64 {
    let all = join_all(items.iter().map(|item| step!("reserve", reserve(item)))).await;
    all.len() as u64
}

fn main() {}
