use workflow::prelude::*;

#[workflow]
async fn order(id: u64, since: std::time::SystemTime) -> u64 {
    let late = now() > since;
    id
}

fn main() {}
