use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let double = async |n: u64| n * 2;
    drop(double);
    id
}

fn main() {}
