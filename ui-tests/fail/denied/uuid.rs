use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let key = uuid::Uuid::new_v4();
    id
}

fn main() {}
