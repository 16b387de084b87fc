#![deny(deprecated)]

use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    tracing::info!(id, "order");
    id
}

fn main() {}
