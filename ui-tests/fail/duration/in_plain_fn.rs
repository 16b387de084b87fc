use workflow::prelude::*;

fn pause() -> std::time::Duration {
    5m
}

#[workflow]
async fn order(id: u64) -> u64 {
    sleep(pause()).await;
    id
}

fn main() {}
