use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        () = sleep(1s),
        () = sleep(2s),
    }
    .await;
    id
}

fn main() {}
