use workflow::prelude::*;

#[derive(serde::Serialize)]
struct Receipt {
    id: u64,
}

async fn open() -> Result<Receipt, std::io::Error> {
    Ok(Receipt { id: 1 })
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("open", open()).await;
    id
}

fn main() {}
