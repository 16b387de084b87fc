use std::collections::{HashMap, HashSet};
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>, seen: HashSet<u64>) -> u64 {
    let mut sum = 0;
    for (_, count) in &stock {
        sum += count;
    }
    for count in stock.values() {
        sum += count;
    }
    let names: Vec<_> = stock.iter().map(|(name, _)| name.len()).collect();
    for number in seen {
        sum += number;
    }
    sum + names.len() as u64
}

fn main() {}
