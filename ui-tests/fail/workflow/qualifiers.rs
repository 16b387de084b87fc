use workflow::prelude::*;

#[workflow]
const async fn constant(id: u64) -> u64 {
    id
}

#[workflow]
async unsafe fn unchecked(id: u64) -> u64 {
    id
}

#[workflow]
async extern "C" fn foreign(id: u64) -> u64 {
    id
}

fn main() {}
