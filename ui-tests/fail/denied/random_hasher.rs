use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let hasher = std::hash::RandomState::new();
    id
}

fn main() {}
