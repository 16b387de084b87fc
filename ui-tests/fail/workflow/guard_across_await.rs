use std::sync::Mutex;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let count = Mutex::new(id);
    let guard = count.lock();
    sleep(5s).await;
    drop(guard);
    id
}

fn main() {}
