use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid;

#[workflow]
async fn order(id: u64) -> workflow::Result<u64> {
    let paid = wait_for::<Paid>("payment").timeout(5m)?;
    Ok(id)
}

fn main() {}
