use workflow::prelude::*;

static mut COUNT: u64 = 0;

#[workflow]
async fn order(id: u64) -> u64 {
    unsafe {
        COUNT += 1;
    }
    id
}

fn main() {}
