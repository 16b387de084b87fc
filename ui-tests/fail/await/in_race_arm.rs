use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        () = sleep(1s) => fetch(id).await,
        () = sleep(2s) => 0,
    }
    .await
}

fn main() {}
