use std::collections::HashSet;
use workflow::prelude::*;

#[workflow]
async fn order(left: HashSet<u64>, right: HashSet<u64>) -> u64 {
    for gone in left.difference(&right) {
        sleep(5s).await;
    }
    0
}

fn main() {}
