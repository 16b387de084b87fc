use workflow::prelude::*;

use std::time::Instant;

#[workflow]
async fn order(id: u64) -> u64 {
    let now = std::time::SystemTime::now();
    let clock = Instant::now;
    drop((now, clock()));
    id
}

fn main() {}
