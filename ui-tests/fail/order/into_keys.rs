use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let names: Vec<String> = stock.into_keys().collect();
    names.len() as u64
}

fn main() {}
