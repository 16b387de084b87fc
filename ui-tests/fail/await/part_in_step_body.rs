use workflow::prelude::*;

#[part]
async fn pay(id: u64) -> Result<u64, StepError> {
    Ok(id)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("pay", { Ok(pay(id).await?) }).await;
    id
}

fn main() {}
