use std::sync::atomic::{AtomicU64, Ordering};
use workflow::prelude::*;

static COUNTER: AtomicU64 = AtomicU64::new(0);

#[workflow]
async fn order(id: u64) -> u64 {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    id + number
}

fn main() {}
