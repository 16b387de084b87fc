use workflow::prelude::*;

#[workflow]
#[allow_nondeterminism]
async fn order(id: u64) -> u64 {
    id
}

fn main() {}
