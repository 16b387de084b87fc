use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(mut stock: HashMap<String, u64>) -> u64 {
    for (name, count) in stock.drain() {
        sleep(5s).await;
    }
    0
}

fn main() {}
