use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    join!(async { std::time::SystemTime::now() }, sleep(5s)).await;
    id
}

fn main() {}
