use workflow::prelude::*;

#[part]
fn helper(id: u64) -> u64 {
    id
}

fn main() {}
