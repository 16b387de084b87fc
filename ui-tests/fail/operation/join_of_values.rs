use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let both = join!(1, sleep(5s)).await;
    id
}

fn main() {}
