use uuid::Uuid;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let key = Some(Uuid::nil()).unwrap_or_else(Uuid::now_v7);
    id
}

fn main() {}
