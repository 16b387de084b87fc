use workflow::prelude::*;

static mut LAST: u64 = 0;

#[workflow]
async fn order(id: u64) -> u64 {
    unsafe { LAST = id };
    id
}

fn main() {}
