use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let key = uuid().to_string();
    id
}

fn main() {}
