use std::time::SystemTime;
use workflow::prelude::*;

type Clock = SystemTime;

#[workflow]
async fn order(id: u64) -> u64 {
    let begun = Clock::now();
    id
}

fn main() {}
