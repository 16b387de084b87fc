use std::sync::{LazyLock, Mutex};
use workflow::prelude::*;

static CACHE: LazyLock<Mutex<Vec<u64>>> = LazyLock::new(|| Mutex::new(vec![1]));

#[workflow]
async fn order(id: u64) -> u64 {
    let known = CACHE.lock().is_ok_and(|cache| cache.is_empty());
    id + u64::from(known)
}

fn main() {}
