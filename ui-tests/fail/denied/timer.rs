use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    std::thread::sleep(std::time::Duration::from_secs(1));
    id
}

fn main() {}
