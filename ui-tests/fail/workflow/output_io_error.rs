use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

fn main() {}
