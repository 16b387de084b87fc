use std::sync::atomic::{AtomicU64, Ordering};
use workflow::prelude::*;

static COUNTER: AtomicU64 = AtomicU64::new(0);

#[part]
async fn number() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

fn main() {}
