use workflow::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum OrderError {
    Refused,
}

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> Result<u64, OrderError> {
    let paid = step!("call", call()).await?;
    Ok(paid)
}

fn main() {}
