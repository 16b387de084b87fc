use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
    id
}

fn main() {}
