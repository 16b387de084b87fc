use workflow::prelude::*;

#[workflow]
async fn child(id: u64, name: String) -> u64 {
    id + name.len() as u64
}

#[workflow]
async fn order(id: u64) -> u64 {
    let one = child("x", String::new()).await;
    let two = child(id).await;
    id
}

fn main() {}
