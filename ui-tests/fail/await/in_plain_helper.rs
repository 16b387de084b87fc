use workflow::prelude::*;

async fn remind(id: u64) -> u64 {
    sleep(std::time::Duration::from_secs(60)).await;
    id
}

fn main() {}
