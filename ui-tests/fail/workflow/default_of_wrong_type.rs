use workflow::prelude::*;

#[workflow]
async fn order(#[default = "three"] count: u64) -> u64 {
    count
}

fn main() {}
