use workflow::prelude::*;

#[workflow]
fn order(id: u64) -> u64 {
    sleep(5s).await;
    id
}

fn main() {}
