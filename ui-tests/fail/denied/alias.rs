use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    use std::time::Instant as Clock;
    let now = Clock::now();
    drop(now);
    id
}

fn main() {}
