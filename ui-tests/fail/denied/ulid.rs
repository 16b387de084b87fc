use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let key = ulid::Ulid::new();
    id
}

fn main() {}
