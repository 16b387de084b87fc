use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!().await;
    id
}

fn main() {}
