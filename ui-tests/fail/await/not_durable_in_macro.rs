use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let users = vec![fetch(1).await, fetch(2).await];
    drop(users);
    id
}

fn main() {}
