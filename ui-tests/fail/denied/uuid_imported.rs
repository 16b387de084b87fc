use uuid::Uuid;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let key = Uuid::new_v4();
    id
}

fn main() {}
