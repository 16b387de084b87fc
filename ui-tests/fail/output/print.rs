#![deny(deprecated)]

use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    println!("order {id}");
    id
}

fn main() {}
