use workflow::prelude::*;

async fn double(n: u64) -> Result<u64, std::io::Error> {
    Ok(n * 2)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", double(total)).await;
    id
}

fn main() {}
