use std::time::Instant as Clock;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let begun = Clock::now();
    id
}

fn main() {}
