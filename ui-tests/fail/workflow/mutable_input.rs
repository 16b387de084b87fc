use workflow::prelude::*;

#[workflow]
async fn order(total: &mut u64) -> u64 {
    *total
}

fn main() {}
