use std::cell::Cell;
use workflow::prelude::*;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let count = COUNT.with(|count| count.get());
    id + count
}

fn main() {}
