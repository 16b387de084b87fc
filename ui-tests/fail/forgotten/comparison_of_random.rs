use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    if random::<u64>() > 3 {
        sleep(5s).await;
    }
    id
}

fn main() {}
