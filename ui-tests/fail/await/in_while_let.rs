use workflow::prelude::*;

async fn next(_id: u64) -> Option<u64> {
    None
}

#[workflow]
async fn order(mut id: u64) -> u64 {
    while let Some(next) = next(id).await {
        id += next;
    }
    id
}

fn main() {}
