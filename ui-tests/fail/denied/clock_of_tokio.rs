use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let begun = tokio::time::Instant::now();
    id
}

fn main() {}
