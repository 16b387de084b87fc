use std::collections::HashSet;
use workflow::prelude::*;

#[workflow]
async fn order(left: HashSet<u64>, right: HashSet<u64>) -> u64 {
    let all: Vec<_> = left.union(&right).collect();
    all.len() as u64
}

fn main() {}
