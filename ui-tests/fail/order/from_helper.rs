use std::collections::HashMap;
use workflow::prelude::*;

fn stock(id: u64) -> HashMap<u64, u64> {
    HashMap::from([(id, id)])
}

#[workflow]
async fn order(id: u64) -> u64 {
    for (name, count) in stock(2) {
        sleep(5s).await;
    }
    0
}

fn main() {}
