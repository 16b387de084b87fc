use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

macro_rules! sum {
    ($a:expr, $b:expr) => {
        $a + $b
    };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let sum = sum!(fetch(1).await, id);
    sum
}

fn main() {}
