use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let dice = rand::random::<u64>();
    let dice = fastrand::u64(1..7);
    id
}

fn main() {}
