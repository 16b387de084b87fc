use std::env::var;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let zone = var("ZONE");
    id
}

fn main() {}
