use std::time::Instant;
use workflow::prelude::*;

#[workflow]
async fn order(_begun: Instant) -> u64 {
    sleep(5s).await;
    1
}

fn main() {}
