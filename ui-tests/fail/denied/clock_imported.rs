use std::time::SystemTime;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let begun = SystemTime::now();
    id
}

fn main() {}
