#![deny(deprecated)]

use workflow::prelude::*;

async fn reserve(item: &u64) -> Result<u64, std::io::Error> {
    Ok(*item)
}

#[workflow]
async fn order(items: Vec<u64>) -> u64 {
    for item in &items {
        let _ = step!("reserve", reserve(item)).await;
    }
    0
}

fn main() {}
