use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    std::thread::yield_now();
    id
}

fn main() {}
