use workflow::prelude::*;

use std::cell::Cell;

#[workflow]
async fn order(#[resource] count: &Cell<u64>) {
    let _ = count;
}

fn main() {}
