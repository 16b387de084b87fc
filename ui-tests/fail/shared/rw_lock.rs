use std::sync::RwLock;
use workflow::prelude::*;

static PRICES: RwLock<Vec<u64>> = RwLock::new(Vec::new());

#[workflow]
async fn order(id: u64) -> u64 {
    let known = PRICES.read().is_ok_and(|prices| prices.is_empty());
    id + u64::from(known)
}

fn main() {}
