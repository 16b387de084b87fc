use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        () = sleep(1s) => std::time::SystemTime::now(),
        () = sleep(2s) => std::time::SystemTime::UNIX_EPOCH,
    }
    .await;
    id
}

fn main() {}
