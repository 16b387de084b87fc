use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> impl Into<u64> {
    id
}

fn main() {}
