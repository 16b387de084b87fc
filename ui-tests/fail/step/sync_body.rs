use workflow::prelude::*;

fn add(n: u64) -> Result<u64, std::io::Error> {
    Ok(n + 1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("add", add(1)).await;
    id
}

fn main() {}
