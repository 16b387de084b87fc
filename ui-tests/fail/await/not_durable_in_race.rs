use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let first: u64 = race! { n = fetch(id) => n, () = sleep(5s) => 0 }.await;
    drop(first);
    id
}

fn main() {}
