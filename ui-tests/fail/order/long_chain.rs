use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let text: String = stock.keys().filter(|name| !name.is_empty()).map(|name| name.to_uppercase()).collect();
    text.len() as u64
}

fn main() {}
