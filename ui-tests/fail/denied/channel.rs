use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let (sender, receiver) = std::sync::mpsc::channel::<u64>();
    id
}

fn main() {}
