use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let text = format!("{:?}", std::time::Instant::now());
    id
}

fn main() {}
