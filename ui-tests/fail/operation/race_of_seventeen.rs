use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
        () = sleep(1s) => 1,
    }
    .await
}

fn main() {}
