use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let gate = tokio::sync::Semaphore::new(1);
    id
}

fn main() {}
