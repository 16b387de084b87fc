use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

const NAME: &str = "call";

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!(NAME, call()).await;
    let _ = step!(format!("call {id}"), call()).await;
    id
}

fn main() {}
