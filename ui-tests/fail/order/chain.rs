use std::collections::{BTreeMap, HashMap};
use workflow::prelude::*;

#[workflow]
async fn order(first: BTreeMap<String, u64>, stock: HashMap<String, u64>) -> u64 {
    let all: Vec<_> = first.iter().chain(&stock).collect();
    all.len() as u64
}

fn main() {}
