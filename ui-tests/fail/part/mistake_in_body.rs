use workflow::prelude::*;

#[part]
async fn helper(id: u64) -> u64 {
    sleep(5s).await;
    "text"
}

fn main() {}
