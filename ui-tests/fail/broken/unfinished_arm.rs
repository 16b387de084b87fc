use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    match id {
        0 => sleep(1s).await,
        1 =>
    }
    id
}

fn main() {}
