use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let arguments = std::env::args().count();
    id
}

fn main() {}
