use workflow::prelude::*;

#[part(name = "pay {id}")]
async fn helper(id: u64) -> u64 {
    id
}

fn main() {}
