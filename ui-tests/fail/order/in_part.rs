use std::collections::HashMap;
use workflow::prelude::*;

#[part]
async fn names(stock: &HashMap<String, u64>) -> Vec<String> {
    stock.keys().cloned().collect()
}

fn main() {}
