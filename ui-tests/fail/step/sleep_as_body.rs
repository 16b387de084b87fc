use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("wait", sleep(5s)).await;
    id
}

fn main() {}
