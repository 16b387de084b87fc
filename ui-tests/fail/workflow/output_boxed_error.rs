use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    Ok(id)
}

fn main() {}
