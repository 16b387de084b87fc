use std::fs::File;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let file = File::open("order.txt");
    id
}

fn main() {}
