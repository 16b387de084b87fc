use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let (a, b) = join!(fetch(id), sleep(5s)).await;
    let (): () = b;
    let _: u64 = a;
    id
}

fn main() {}
