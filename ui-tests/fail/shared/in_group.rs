use std::sync::atomic::{AtomicU64, Ordering};
use workflow::prelude::*;

static COUNTER: AtomicU64 = AtomicU64::new(0);

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("count", {
        COUNTER.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .await;
    id
}

fn main() {}
