use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let mut source = rand::rngs::OsRng;
    id
}

fn main() {}
