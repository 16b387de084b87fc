use uuid::Uuid;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64, known: Option<Uuid>) -> u64 {
    let key = known.unwrap_or_else(Uuid::now_v7);
    id
}

fn main() {}
