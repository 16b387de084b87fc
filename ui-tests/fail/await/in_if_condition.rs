use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    if fetch(id).await > 3 {
        sleep(5s).await;
    }
    id
}

fn main() {}
