#![deny(deprecated)]

use tracing::warn;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    warn!("order {id}");
    id
}

fn main() {}
