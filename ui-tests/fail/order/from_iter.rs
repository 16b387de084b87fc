use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let list = Vec::from_iter(stock);
    list.len() as u64
}

fn main() {}
