use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64
where
    u64: Copy,
{
    id
}

fn main() {}
