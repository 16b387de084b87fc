use std::time::SystemTime;
use workflow::prelude::*;

#[workflow]
async fn order(times: Vec<SystemTime>) -> u64 {
    let ages: Vec<_> = times.iter().map(|time| SystemTime::now().duration_since(*time)).collect();
    ages.len() as u64
}

fn main() {}
