use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let today = chrono::Local::now();
    id
}

fn main() {}
