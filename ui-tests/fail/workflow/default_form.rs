use workflow::prelude::*;

#[workflow]
async fn order(#[default(3)] count: u64, #[default] #[default = 2] size: u64) -> u64 {
    count + size
}

fn main() {}
