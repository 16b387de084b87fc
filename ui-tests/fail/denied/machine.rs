use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let cores = std::thread::available_parallelism();
    id
}

fn main() {}
