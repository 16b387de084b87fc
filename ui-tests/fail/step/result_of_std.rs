use workflow::prelude::*;

async fn begin() -> Result<std::time::Instant, std::io::Error> {
    Ok(std::time::Instant::now())
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("begin", begin()).await;
    id
}

fn main() {}
