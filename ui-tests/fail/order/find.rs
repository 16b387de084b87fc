use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let first = stock.iter().find(|(_, count)| **count > 0);
    first.map_or(0, |(_, count)| *count)
}

fn main() {}
