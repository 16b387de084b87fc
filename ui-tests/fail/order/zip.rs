use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(names: Vec<String>, stock: HashMap<String, u64>) -> u64 {
    let pairs: Vec<_> = names.iter().zip(&stock).collect();
    pairs.len() as u64
}

fn main() {}
