use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        () = sleep(1s), if id > 1 => 1,
        () = sleep(2s) => 2,
    }
    .await
}

fn main() {}
