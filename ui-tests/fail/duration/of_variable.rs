use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let pause = 30;
    sleep(pause).await;
    id
}

fn main() {}
