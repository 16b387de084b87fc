use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    wait_for::<String>("payment").await;
    id
}

fn main() {}
