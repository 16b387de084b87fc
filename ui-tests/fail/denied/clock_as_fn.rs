use std::time::SystemTime;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64, since: Option<SystemTime>) -> u64 {
    let begun = since.unwrap_or_else(SystemTime::now);
    id
}

fn main() {}
