use workflow::prelude::*;

use std::fs;

#[workflow]
async fn order(id: u64) -> u64 {
    let text = fs::read_to_string("order.txt");
    drop(text);
    id
}

fn main() {}
