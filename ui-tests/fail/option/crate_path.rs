use workflow::prelude::*;

#[workflow(crate = "workflow")]
async fn order(id: u64) -> u64 {
    id
}

fn main() {}
