use workflow::prelude::*;

#[workflow(retries = 3)]
async fn order(id: u64) -> u64 {
    id
}

#[workflow("orders")]
async fn named(id: u64) -> u64 {
    id
}

#[workflow(version = 1.2)]
async fn versioned(id: u64) -> u64 {
    id
}

fn main() {}
