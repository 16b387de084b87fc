use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let text = format!("{:?}", stock.values().collect::<Vec<_>>());
    text.len() as u64
}

fn main() {}
