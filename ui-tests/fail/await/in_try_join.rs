use workflow::prelude::*;

async fn find(id: u64) -> Result<u64, std::io::Error> {
    Ok(id)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let both = try_join!(find(id), step!("call", find(2))).await;
    id
}

fn main() {}
