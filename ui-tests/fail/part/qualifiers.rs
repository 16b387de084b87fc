use workflow::prelude::*;

#[part]
const async fn constant(id: u64) -> u64 {
    id
}

#[part]
async unsafe fn unchecked(id: u64) -> u64 {
    id
}

#[part]
async extern "C" fn foreign(id: u64) -> u64 {
    id
}

fn main() {}
