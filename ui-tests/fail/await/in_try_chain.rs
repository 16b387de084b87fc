use workflow::prelude::*;

async fn find(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

#[workflow]
async fn order(id: u64) -> workflow::Result<u64> {
    let found = find(id).await?.pow(2);
    Ok(found)
}

fn main() {}
