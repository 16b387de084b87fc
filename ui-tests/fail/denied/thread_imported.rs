use std::thread::spawn;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let worker = spawn(|| 1 + 1);
    id
}

fn main() {}
