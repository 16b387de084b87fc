use std::sync::OnceLock;
use workflow::prelude::*;

static FIRST: OnceLock<u64> = OnceLock::new();

#[workflow]
async fn order(id: u64) -> u64 {
    let first = FIRST.get_or_init(|| id);
    *first
}

fn main() {}
