use workflow::prelude::*;

#[workflow]
async fn order((id, name): (u64, String), _: u64) -> u64 {
    id
}

fn main() {}
