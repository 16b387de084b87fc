#![deny(deprecated)]

use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    dbg!(id);
    id
}

fn main() {}
