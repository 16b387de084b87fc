use std::sync::mpsc::channel;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let (sender, receiver) = channel::<u64>();
    id
}

fn main() {}
